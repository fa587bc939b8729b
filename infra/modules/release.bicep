// The identities of the GitHub workflows: federated, so that no secret is in the repository. One for each environment:
// `staging` fills the staging slot and can do nothing to production, `production` releases. `validate` may read and
// ask what a deployment would change.

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

@description('Whether that app has a staging slot.')
param hasStaging bool

var issuer = 'https://token.actions.githubusercontent.com'
var audiences = ['api://AzureADTokenExchange']
var role = {
  websiteContributor: 'de139f84-1756-47ae-9be6-808fbbe84772'
  blobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  monitoringReader: '43d0d8ad-25c7-4714-9337-8ba259a9fe05'
  reader: 'acdd72a7-3385-48ef-bd42-f606fba81ae7'
}

resource staging 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = if (hasStaging) {
  name: '${names.identity}-staging'
  location: location
  tags: tags
}

resource stagingSignIn 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = if (hasStaging) {
  parent: staging
  name: 'github-staging'
  properties: { issuer: issuer, audiences: audiences, subject: '${subjectPrefix}:environment:staging' }
}

resource production 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${names.identity}-production'
  location: location
  tags: tags
}

// GitHub asks for a person's approval where the environment demands it.
resource productionSignIn 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = {
  parent: production
  name: 'github-production'
  properties: { issuer: issuer, audiences: audiences, subject: '${subjectPrefix}:environment:production' }
}

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

resource slot 'Microsoft.Web/sites/slots@2025-03-01' existing = {
  parent: app
  name: 'staging'
}

resource packagesAccount 'Microsoft.Storage/storageAccounts@2026-04-01' existing = {
  name: names.packagesStorage
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-04-01' existing = {
  name: '${names.packagesStorage}/default/${packagesContainer}'
}

// What infra/deploy asks of the slot. Not slotsswap, which Website Contributor has on a slot: that would be production.
resource fillSlot 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (hasStaging) {
  name: guid(resourceGroup().id, 'fill-slot')
  properties: {
    roleName: 'SafetyAmp Sync staging ${uniqueString(resourceGroup().id)}'
    description: 'Choose the package that a slot runs, without swapping it into production.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: [
          'Microsoft.Web/sites/slots/read'
          'Microsoft.Web/sites/slots/config/*'
          'Microsoft.Web/sites/slots/host/*'
        ]
        notActions: []
      }
    ]
  }
}

resource stagingOnSlot 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasStaging) {
  scope: slot
  name: guid(slot.id, staging.id, fillSlot.id)
  properties: {
    roleDefinitionId: fillSlot.id
    principalId: staging!.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

// To find the app and the account of the packages.
resource stagingOnApp 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasStaging) {
  scope: app
  name: guid(app.id, staging.id, role.reader)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.reader)
    principalId: staging!.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource stagingOnPackagesAccount 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasStaging) {
  scope: packagesAccount
  name: guid(packagesAccount.id, staging.id, role.reader)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.reader)
    principalId: staging!.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource stagingOnPackages 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasStaging) {
  scope: packages
  name: guid(packages.id, staging.id, role.blobDataContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.blobDataContributor)
    principalId: staging!.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource productionOnApp 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasFunctionApp) {
  scope: app
  name: guid(app.id, production.id, role.websiteContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.websiteContributor)
    principalId: production.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource productionOnPackages 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: packages
  name: guid(packages.id, production.id, role.blobDataContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.blobDataContributor)
    principalId: production.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

// To see fired alerts.
resource productionOnGroup 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, production.id, role.monitoringReader)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.monitoringReader)
    principalId: production.properties.principalId
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

output stagingClientId string = hasStaging ? staging!.properties.clientId : ''
output productionClientId string = production.properties.clientId
output validateClientId string = validate.properties.clientId
