// SafetyAmp Sync in one resource group. See infra/README.md for the way from an empty subscription to a first run.
targetScope = 'resourceGroup'

import { Hosting, OnPremises, Packages, documentsContainer } from 'modules/types.bicep'

@description('Short name of this installation, part of the names of resources: lower-case letters and digits.')
@minLength(1)
@maxLength(10)
param environmentName string

@description('Region.')
param location string = resourceGroup().location

@description('premium: Elastic Premium with a staging slot. flex: Flex Consumption, for the price. container: Container Apps.')
param hosting Hosting = 'premium'

@description('Packages that the slots of the Premium plan run now; `infra/packages` prints them. Without a default on purpose: a deployment that forgot them would take the app\'s code away.')
param packages Packages

@description('Image of the app, for hosting = container.')
param containerImage string = ''

@description('Python version of the plans premium and flex.')
@allowed(['3.12', '3.13'])
param pythonVersion string = '3.13'

@description('Most instances of the app. More than three add nothing: SafetyAmp\'s limit decides.')
@minValue(1)
@maxValue(40)
param maximumInstances int = 3

@description('Your host name at SafetyAmp, such as yourcompany.safetyamp.com.')
@minLength(3)
param safetyampFqdn string

@description('Tenant of the app registration that reads e-mail addresses from Microsoft Graph.')
@minLength(36)
@maxLength(36)
param graphTenantId string

@description('Client id of that app registration.')
@minLength(36)
@maxLength(36)
param graphClientId string

@description('Further settings by name (the README\'s table), such as { SAFETYAMP_VEHICLE_SITE_ID: \'12\' }. No secrets: they belong into the vault.')
param syncSettings object = {}

@description('When runs start: NCRONTAB, UTC.')
param syncSchedule string = '0 0 * * * *'

@description('Minutes between two starts of that schedule; alerts are derived from it.')
@minValue(5)
@maxValue(1440)
param syncIntervalMinutes int = 60

@description('Whether storage, vault and Redis are reached through private endpoints only. For Service Bus see serviceBusSku.')
param privateNetworking bool = true

@description('Standard is reached through its public endpoint, by identities with a role only, also when privateNetworking is on. Premium takes a private endpoint and costs about 700 USD a month.')
@allowed(['Standard', 'Premium'])
param serviceBusSku string = 'Standard'

@description('Whether all outgoing calls come from one fixed public address (a NAT gateway, about 33 USD a month), for allow-lists of others.')
param fixedOutgoingAddress bool = false

@description('Address range of the virtual network: /24 or larger, free in your networks.')
param addressPrefix string = '10.90.0.0/24'

@description('DNS servers that know the Vista server\'s name; empty: Azure\'s. They must forward Azure\'s private names to 168.63.129.16.')
param dnsServers string[] = []

@description('The way to Vista: none, peering with a hub, or a VPN gateway. Needs privateNetworking.')
param onPremises OnPremises = { kind: 'none' }

@description('Key of the VPN, which your device has too: 16 characters or more.')
@secure()
param vpnSharedKey string = ''

@description('Public addresses or ranges of operators, who set secrets and read documents from there although both are private.')
param operatorAddresses string[] = []

@description('Who may call the app over HTTP, as ranges such as 203.0.113.7/32; empty: everybody who has a key.')
param appAddresses string[] = []

@description('Object id of the person, group or service principal that operates the app: may set secrets, read documents, upload packages. Empty: none.')
param operatorId string = ''

@description('What operatorId is.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorType string = 'User'

@description('Days after which the documents of runs are deleted.')
@minValue(7)
param runRetentionDays int = 90

@description('Days to keep logs.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Gigabytes of logs a day after which ingestion stops until the next day.')
@minValue(1)
param dailyLogCapGb int = 2

@description('Whether Redis has a second node, at twice the price.')
param redisHighAvailability bool = false

@description('E-mail addresses that alerts go to.')
@minLength(1)
param alertEmails string[]

@description('Webhook that alerts go to as well.')
@secure()
param alertWebhookUrl string = ''

@description('Budget a month, in the subscription\'s currency; at 80 % and when 100 % are forecast somebody is told.')
@minValue(1)
param monthlyBudget int = 400

// No default: one from today's date would be another next month, and Azure refuses to change it.
@description('First day of the month of the first deployment (YYYY-MM-01). It stays as it is in all later ones.')
@minLength(10)
@maxLength(10)
param budgetStart string

@description('GitHub repository (owner/name) whose workflows may release; empty: none.')
param githubRepository string = ''

// Repositories made, renamed or moved since July 2026 send ids: repo:owner@123/name@456.
@description('How the subjects of the repository\'s sign-ins begin, as `gh api repos/OWNER/NAME/actions/oidc/customization/sub` says (sub_claim_prefix); empty: repo:owner/name.')
param githubSubjectPrefix string = ''

var token = uniqueString(resourceGroup().id, environmentName)
var tags = { application: 'safetyamp-sync', 'azd-env-name': environmentName }
// Names of apps stay under 25 characters: with `-staging` the Functions host cuts its id off after 32.
var names = {
  app: 'func-${environmentName}-${take(token, 6)}'
  identity: 'id-${environmentName}-${token}'
  hostStorage: 'sthost${token}'
  documentsStorage: 'stdocs${token}'
  packagesStorage: 'stpkgs${token}'
  bus: 'sb-${environmentName}-${token}'
  redis: 'redis-${environmentName}-${token}'
  vault: 'kv-${take(environmentName, 6)}-${take(token, 10)}'
  insights: 'appi-${environmentName}-${token}'
  workspace: 'log-${environmentName}-${token}'
  network: 'vnet-${environmentName}-${token}'
}
var runbookUrl = empty(githubRepository) ? 'docs/runbook.md' : 'https://github.com/${githubRepository}/blob/main/docs/runbook.md'
// azd's parameter file gives an empty address where there is none.
var operators = filter(operatorAddresses, address => !empty(address))
var withVpn = privateNetworking && onPremises.kind == 'vpn'
var privateBus = privateNetworking && serviceBusSku == 'Premium'

module identity 'modules/identity.bicep' = {
  name: 'identity'
  params: { location: location, tags: tags, name: names.identity }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    location: location
    tags: tags
    workspaceName: names.workspace
    insightsName: names.insights
    retentionDays: logRetentionDays
    dailyCapGb: dailyLogCapGb
  }
}

module network 'modules/network.bicep' = if (privateNetworking) {
  name: 'network'
  params: {
    location: location
    tags: tags
    name: names.network
    hosting: hosting
    addressPrefix: addressPrefix
    dnsServers: dnsServers
    fixedOutgoingAddress: fixedOutgoingAddress
    onPremises: onPremises
  }
}

module vpn 'modules/vpn.bicep' = if (withVpn) {
  name: 'vpn'
  params: {
    location: location
    tags: tags
    name: environmentName
    gatewaySubnetId: network!.outputs.gatewaySubnetId
    deviceAddress: onPremises.?deviceAddress ?? ''
    addressPrefixes: onPremises.?addressPrefixes ?? []
    sharedKey: vpnSharedKey
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    location: location
    tags: tags
    names: names
    privateNetworking: privateNetworking
    operatorAddresses: operators
    runRetentionDays: runRetentionDays
    workspaceId: monitoring.outputs.workspaceId
  }
}

module bus 'modules/service-bus.bicep' = {
  name: 'service-bus'
  params: {
    location: location
    tags: tags
    name: names.bus
    sku: serviceBusSku
    private: privateBus
    workspaceId: monitoring.outputs.workspaceId
  }
}

module redis 'modules/redis.bicep' = {
  name: 'redis'
  params: {
    location: location
    tags: tags
    name: names.redis
    private: privateNetworking
    highAvailability: redisHighAvailability
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module vault 'modules/key-vault.bicep' = {
  name: 'key-vault'
  params: {
    location: location
    tags: tags
    name: names.vault
    private: privateNetworking
    allowedAddresses: operators
    workspaceId: monitoring.outputs.workspaceId
  }
}

module endpoints 'modules/private-endpoints.bicep' = if (privateNetworking) {
  name: 'private-endpoints'
  params: {
    location: location
    tags: tags
    names: names
    networkId: network!.outputs.id
    subnetId: network!.outputs.endpointSubnetId
    withBus: privateBus
  }
  dependsOn: [storage, bus, redis, vault]
}

// Roles and endpoints before the app: its first start should find both.
module roles 'modules/roles.bicep' = {
  name: 'roles'
  params: {
    names: names
    hosting: hosting
    principalId: identity.outputs.principalId
    operatorId: operatorId
    operatorType: operatorType
  }
  dependsOn: [storage, bus, vault, monitoring]
}

// A module that is not deployed has no outputs: hence the conditions, which ARM evaluates lazily.
module app 'modules/app.bicep' = {
  name: 'app'
  params: {
    location: location
    tags: tags
    names: names
    hosting: hosting
    identityId: identity.outputs.id
    packages: packages
    containerImage: containerImage
    pythonVersion: pythonVersion
    maximumInstances: maximumInstances
    subnetId: privateNetworking ? network!.outputs.appSubnetId : ''
    allowedAddresses: appAddresses
    safetyampFqdn: safetyampFqdn
    graphTenantId: graphTenantId
    graphClientId: graphClientId
    syncSchedule: syncSchedule
    syncSettings: syncSettings
    workspaceId: monitoring.outputs.workspaceId
  }
  dependsOn: [roles, endpoints, storage, redis, vault]
}

module watching 'modules/watching.bicep' = {
  name: 'watching'
  params: {
    location: location
    tags: tags
    names: names
    hostName: app.outputs.hostName
    emails: alertEmails
    webhookUrl: alertWebhookUrl
    runbookUrl: runbookUrl
    syncIntervalMinutes: syncIntervalMinutes
    monthlyBudget: monthlyBudget
    budgetStart: budgetStart
  }
  dependsOn: [bus, redis, monitoring]
}

module release 'modules/release.bicep' = if (!empty(githubRepository)) {
  name: 'release'
  params: {
    location: location
    tags: tags
    names: names
    subjectPrefix: empty(githubSubjectPrefix) ? 'repo:${githubRepository}' : githubSubjectPrefix
    hasFunctionApp: hosting != 'container'
    hasStaging: hosting == 'premium'
  }
  dependsOn: [storage, app]
}

output AZURE_RESOURCE_GROUP string = resourceGroup().name
output APP_NAME string = names.app
output APP_URL string = 'https://${app.outputs.hostName}'
output HOSTING string = hosting
output KEY_VAULT_NAME string = names.vault
output PACKAGES_STORAGE string = names.packagesStorage
output DOCUMENTS_STORAGE string = names.documentsStorage
output DOCUMENTS_CONTAINER string = documentsContainer
output STAGING_CLIENT_ID string = empty(githubRepository) ? '' : release!.outputs.stagingClientId
output PRODUCTION_CLIENT_ID string = empty(githubRepository) ? '' : release!.outputs.productionClientId
output VALIDATE_CLIENT_ID string = empty(githubRepository) ? '' : release!.outputs.validateClientId
output VPN_GATEWAY_ADDRESS string = withVpn ? vpn!.outputs.gatewayAddress : ''
