// The app on Elastic Premium: production and a staging slot. Each runs a package from a blob, fetched with the
// app's identity: no content share, hence no storage key. A swap exchanges the packages.

import { Names, Packages, backgroundFunctions, packagesContainer, pythonVersion } from 'types.bicep'

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

@description('App settings that both slots have.')
param settings object

@description('Packages that the slots run.')
param packages Packages

@description('Subnet of outgoing calls; empty: none.')
param subnetId string

@description('Rules for who may call the app; empty: everybody who has a key.')
param restrictions array

@description('Most instances of production. More than three add nothing: SafetyAmp\'s limit decides.')
param maximumInstances int

@description('Whether instances are spread over zones: two then always run.')
param zoneRedundant bool

@description('Workspace of the logs.')
param workspaceId string

var packagesUrl = 'https://${names.packagesStorage}.blob.${environment().suffixes.storage}/${packagesContainer}'
var common = {
  FUNCTIONS_EXTENSION_VERSION: '~4'
  FUNCTIONS_WORKER_RUNTIME: 'python'
  WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID: identityId
  // A swap waits for this answer. Not /ready, which infra/release asks first: going back must work while Vista is away.
  WEBSITE_SWAP_WARMUP_PING_PATH: '/health'
  WEBSITE_SWAP_WARMUP_PING_STATUSES: '200'
}
var productionPackage = empty(packages.production) ? {} : { WEBSITE_RUN_FROM_PACKAGE: '${packagesUrl}/${packages.production}' }
var stagingPackage = empty(packages.staging) ? {} : { WEBSITE_RUN_FROM_PACKAGE: '${packagesUrl}/${packages.staging}' }
var disabled = toObject(backgroundFunctions, name => 'AzureWebJobs.${name}.Disabled', name => 'true')
var sticky = concat(map(backgroundFunctions, name => 'AzureWebJobs.${name}.Disabled'), ['ENVIRONMENT', 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'])

var identities = union({ '${identityId}': {} }, empty(signInIdentityId) ? {} : { '${signInIdentityId}': {} })
var alwaysOn = zoneRedundant ? 2 : 1

var siteConfig = {
  linuxFxVersion: 'Python|${pythonVersion}'
  ftpsState: 'Disabled'
  minTlsVersion: '1.2'
  scmMinTlsVersion: '1.2'
  http20Enabled: true
  // Liveness, not readiness: taking an instance away does not bring Vista back.
  healthCheckPath: '/health'
  minimumElasticInstanceCount: alwaysOn
  functionsRuntimeScaleMonitoringEnabled: !empty(subnetId)
  ipSecurityRestrictions: restrictions
  ipSecurityRestrictionsDefaultAction: empty(restrictions) ? 'Allow' : 'Deny'
  scmIpSecurityRestrictionsUseMain: true
}
var siteProperties = {
  serverFarmId: plan.id
  httpsOnly: true
  clientAffinityEnabled: false
  keyVaultReferenceIdentity: identityId
  virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
  outboundVnetRouting: { allTraffic: !empty(subnetId) }
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'plan-${names.app}'
  location: location
  tags: tags
  kind: 'elastic'
  sku: { name: 'EP1', tier: 'ElasticPremium', capacity: alwaysOn }
  properties: {
    reserved: true
    maximumElasticWorkerCount: maximumInstances + 1
    zoneRedundant: zoneRedundant
  }
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
    ...siteProperties
    siteConfig: { ...siteConfig, functionAppScaleLimit: maximumInstances }
  }

  resource productionSettings 'config' = {
    name: 'appsettings'
    properties: union(settings, common, productionPackage)
  }

  resource slotNames 'config' = {
    name: 'slotConfigNames'
    properties: { appSettingNames: sticky }
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

resource staging 'Microsoft.Web/sites/slots@2025-03-01' = {
  parent: app
  name: 'staging'
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: identities
  }
  properties: {
    ...siteProperties
    siteConfig: { ...siteConfig, functionAppScaleLimit: 1 }
  }
  // The names must be sticky before staging has them.
  dependsOn: [app::slotNames]

  resource stagingSettings 'config' = {
    name: 'appsettings'
    properties: union(settings, common, stagingPackage, disabled, { ENVIRONMENT: 'staging' })
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
