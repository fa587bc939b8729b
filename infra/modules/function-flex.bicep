// The app on Flex Consumption: cheaper by far, but without slots. Not to be set here, the platform refuses or
// ignores them: FUNCTIONS_WORKER_RUNTIME, FUNCTIONS_EXTENSION_VERSION, WEBSITE_RUN_FROM_PACKAGE and the like; of
// siteConfig ftpsState and others (error 51021, in some regions only). FTP is switched off by its policy below.

import { Names, packagesContainer, pythonVersion } from 'types.bicep'

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Names of the resources.')
param names Names

@description('Resource id of the identity.')
param identityId string

@description('Resource id of the identity by which people are signed in; empty: none.')
param signInIdentityId string

@description('App settings.')
param settings object

@description('Subnet of outgoing calls; empty: none.')
param subnetId string

@description('Rules for who may call the app; empty: everybody who has a key.')
param restrictions array

@description('Most instances of each group: HTTP is one, and each timer and queue function. Some regions want 40 or more.')
param maximumInstances int

@description('Whether instances are spread over zones: two of each function then always run.')
param zoneRedundant bool

@description('Workspace of the logs.')
param workspaceId string

var identities = union({ '${identityId}': {} }, empty(signInIdentityId) ? {} : { '${signInIdentityId}': {} })

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'plan-${names.app}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true, zoneRedundant: zoneRedundant }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: names.app
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: identities
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      minTlsVersion: '1.2'
      http20Enabled: true
      ipSecurityRestrictions: restrictions
      ipSecurityRestrictionsDefaultAction: empty(restrictions) ? 'Allow' : 'Deny'
      // Packages come in there: whoever may not call the app may not deploy to it either. Only where it changes
      // something, for it is not known whether every region takes it.
      ...(empty(restrictions) ? {} : { scmIpSecurityRestrictionsUseMain: true })
    }
    functionAppConfig: {
      runtime: { name: 'python', version: pythonVersion }
      scaleAndConcurrency: { maximumInstanceCount: maximumInstances, instanceMemoryMB: 2048 }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: 'https://${names.packagesStorage}.blob.${environment().suffixes.storage}/${packagesContainer}'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identityId }
        }
      }
    }
  }

  resource appSettings 'config' = {
    name: 'appsettings'
    properties: settings
  }

  resource noFtp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource noBasicAuthentication 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: app
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    metrics: [
      { category: 'AllMetrics', enabled: true }
    ]
  }
}

output hostName string = app.properties.defaultHostName
