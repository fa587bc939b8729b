// The identities of the GitHub workflows: federated, so that no secret is in the repository. `release` may
// deploy packages and swap slots; `validate` may read and ask what a deployment would change.

import { Names, packagesContainer } from 'types.bicep'

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Names of the resources.')
param names Names

@description('How the subjects begin that GitHub signs in with, such as repo:owner/name.')
param subjectPrefix string

@description('Whether there is an app of the Functions service to deploy to.')
param hasFunctionApp bool

var issuer = 'https://token.actions.githubusercontent.com'
var audiences = ['api://AzureADTokenExchange']
var role = {
  websiteContributor: 'de139f84-1756-47ae-9be6-808fbbe84772'
  blobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  monitoringReader: '43d0d8ad-25c7-4714-9337-8ba259a9fe05'
  reader: 'acdd72a7-3385-48ef-bd42-f606fba81ae7'
}

resource release 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${names.identity}-release'
  location: location
  tags: tags

}

// GitHub asks for a person's approval where an environment demands it. One after the other: Azure refuses to
// make two credentials of one identity at once.
@batchSize(1)
resource environments 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = [
  for name in ['staging', 'production']: {
    parent: release
    name: 'github-${name}'
    properties: { issuer: issuer, audiences: audiences, subject: '${subjectPrefix}:environment:${name}' }
  }
]

resource validate 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${names.identity}-validate'
  location: location
  tags: tags

  resource pullRequest 'federatedIdentityCredentials' = {
    name: 'github-pull-request'
    properties: { issuer: issuer, audiences: audiences, subject: '${subjectPrefix}:pull_request' }
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: names.app
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-04-01' existing = {
  name: '${names.packagesStorage}/default/${packagesContainer}'
}

resource releaseOnApp 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasFunctionApp) {
  scope: app
  name: guid(app.id, release.id, role.websiteContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.websiteContributor)
    principalId: release.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource releaseOnPackages 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: packages
  name: guid(packages.id, release.id, role.blobDataContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.blobDataContributor)
    principalId: release.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

// To see fired alerts.
resource releaseOnGroup 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, release.id, role.monitoringReader)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.monitoringReader)
    principalId: release.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource validateOnGroup 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, validate.id, role.reader)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.reader)
    principalId: validate.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource whatIf 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'what-if')
  properties: {
    roleName: 'SafetyAmp Sync what-if ${uniqueString(resourceGroup().id)}'
    description: 'Validate a deployment and ask what it would change, without changing anything.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: [
          'Microsoft.Resources/deployments/read'
          'Microsoft.Resources/deployments/validate/action'
          'Microsoft.Resources/deployments/whatIf/action'
        ]
        notActions: []
      }
    ]
  }
}

resource validateWhatIf 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, validate.id, whatIf.id)
  properties: {
    roleDefinitionId: whatIf.id
    principalId: validate.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

output releaseClientId string = release.properties.clientId
output validateClientId string = validate.properties.clientId
