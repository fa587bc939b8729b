// SafetyAmp Sync in one resource group. See infra/README.md for the way from an empty subscription to a first run.
targetScope = 'resourceGroup'

import { BusTier, OnPremises, Packages, RedisNodes, SignIn, Size, documentsContainer } from 'modules/types.bicep'

@description('Short name of this installation, part of the names of resources: lower-case letters and digits.')
@minLength(1)
@maxLength(10)
param environmentName string

@description('Region.')
param location string = resourceGroup().location

@description('small: Flex Consumption at public endpoints, identities only. private: with private endpoints. slots: Elastic Premium with a staging slot and private endpoints. container: Container Apps with private endpoints. See infra/README.md before you change it.')
param size Size = 'small'

@description('Packages that the slots of the size `slots` run now; `infra/packages` prints them. Without a default on purpose: a deployment that forgot them would take the app\'s code away.')
param packages Packages

@description('Image of the app, for the size `container`.')
param containerImage string = ''

@description('Resource id of the Azure Container Registry of containerImage, on which the app gets AcrPull; empty: a registry that lets everybody pull.')
param containerRegistryId string = ''

@description('Redis: cache, and the one window and breaker of all instances. none saves its price; each process then keeps to a small share of SafetyAmp\'s limit.')
param redis RedisNodes = 'single'

// More than three add nothing: SafetyAmp's limit decides. But some regions refuse Flex Consumption less than 40.
@description('Most instances of the app; on Flex Consumption (small, private) of each of its functions.')
@minValue(1)
@maxValue(100)
param maximumInstances int = redis == 'none' ? 1 : size == 'slots' || size == 'container' ? 3 : 40

@description('Whether the app and what it needs are spread over zones: two instances are always paid for, on Flex Consumption two of each function. Set it in the first deployment.')
param zoneRedundant bool = false

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

@description('Further settings by name (docs/settings.md), such as { SAFETYAMP_VEHICLE_SITE_ID: \'12\' }. No secrets: they belong into the vault.')
param syncSettings object = {}

@description('When runs start: NCRONTAB, UTC.')
param syncSchedule string = '0 0 * * * *'

@description('Minutes between two starts of that schedule; alerts are derived from it.')
@minValue(5)
@maxValue(1440)
param syncIntervalMinutes int = 60

@description('Basic and Standard are reached through their public endpoint, by identities with a role only, in every size. Basic drops no duplicates, and has no base charge. Premium takes a private endpoint and costs about 680 USD a month.')
param serviceBusSku BusTier = size == 'small' ? 'Basic' : 'Standard'

@description('Whether all outgoing calls come from one fixed public address (a NAT gateway, about 33 USD a month), for allow-lists of others.')
param fixedOutgoingAddress bool = false

@description('Address range of the virtual network: /24 or larger, free in your networks.')
param addressPrefix string = '10.90.0.0/24'

@description('DNS servers that know the Vista server\'s name; empty: Azure\'s. They must forward Azure\'s private names to 168.63.129.16.')
param dnsServers string[] = []

@description('The way to Vista: none, peering with a hub, or a VPN gateway. Each but none makes the virtual network, in every size.')
param onPremises OnPremises = { kind: 'none' }

@description('Whether, with private endpoints, security groups let through only what is known to be needed.')
param securityGroups bool = true

@description('Port of a Vista that is reached through the internet: security groups let no other port out but HTTPS and the bus\'s.')
@minValue(1)
@maxValue(65535)
param vistaPort int = 1433

@description('Key of the VPN, which your device has too: 16 characters or more.')
@secure()
param vpnSharedKey string = ''

@description('Public addresses or ranges of operators, who set secrets and read documents from there although both are private.')
param operatorAddresses string[] = []

@description('Who may call the app over HTTP, as ranges such as 203.0.113.7/32; empty: everybody who has a key.')
param appAddresses string[] = []

@description('keys: function keys. entra: people sign in by signInClientId, with roles; keys go on for scripts. See infra/README.md, section Signing in.')
param signIn SignIn = 'keys'

@description('Client id of the app registration by which people sign in; for signIn = entra.')
param signInClientId string = ''

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

// With it off it is not known whether the results of availability tests still arrive, on which the alert not-ready hangs.
@description('Whether Application Insights takes telemetry from whoever knows its connection string, not from identities only.')
param insightsLocalAuth bool = true

@description('E-mail addresses that alerts go to.')
@minLength(1)
param alertEmails string[]

@description('Webhook that alerts go to as well.')
@secure()
param alertWebhookUrl string = ''

@description('Budget a month, in the subscription\'s currency; at 80 % and when 100 % are forecast somebody is told.')
@minValue(1)
param monthlyBudget int = size == 'slots' ? 400 : size == 'small' ? 60 : 200

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

// What a size brings.
var hosting = size == 'slots' ? 'premium' : size == 'container' ? 'container' : 'flex'
var privateEndpoints = size != 'small'
var withNetwork = privateEndpoints || onPremises.kind != 'none' || fixedOutgoingAddress
var withRedis = redis != 'none'
var withVpn = onPremises.kind == 'vpn'
var privateBus = privateEndpoints && serviceBusSku == 'Premium'

// What Azure would take, but which would not do what its name says.
var refusals = concat(
  withVpn && length(vpnSharedKey) < 16 ? ['vpnSharedKey: a VPN needs a key of 16 characters or more, the same as on your device.'] : [],
  !empty(dnsServers) && !withNetwork ? ['dnsServers: there is no virtual network to use them; set onPremises, or another size.'] : [],
  serviceBusSku == 'Premium' && !privateEndpoints ? ['serviceBusSku: Premium is for private endpoints, which the size small has not; use Basic or Standard, or another size.'] : [],
  zoneRedundant && maximumInstances < 2 ? ['maximumInstances: zoneRedundant keeps two instances running, so that it must be 2 or more; with redis none that cannot be.'] : [],
  length(signInClientId) != (signIn == 'entra' ? 36 : 0) ? ['signInClientId: signIn entra needs the client id of an app registration, keys takes none.'] : [],
  contains(syncSettings, 'SIGN_IN') || contains(syncSettings, 'WEBSITE_AUTH_ENABLED') ? ['syncSettings: SIGN_IN is the parameter signIn, which also puts the authentication before the app; WEBSITE_AUTH_ENABLED is the platform\'s own word.'] : [],
  contains(syncSettings, 'SIGN_IN_PROXY') && (size != 'container' || signIn == 'keys') ? ['syncSettings: SIGN_IN_PROXY is for the size container with signIn entra.'] : [],
  (size == 'container') == empty(containerImage) ? ['containerImage: the size container needs one, the others take none.'] : []
)

// Azure computes the scope of a module also where its condition keeps it out: an id must be there to take apart.
var registry = split(empty(containerRegistryId) ? resourceId('Microsoft.ContainerRegistry/registries', 'none') : containerRegistryId, '/')

var token = uniqueString(resourceGroup().id, environmentName)
// Every resource has the tags: nothing is made of what is refused.
var tags = empty(refusals) ? { application: 'safetyamp-sync', 'azd-env-name': environmentName } : fail(join(refusals, ' '))
// Names of apps stay under 25 characters: with `-staging` the Functions host cuts its id off after 32.
var names = {
  app: 'func-${environmentName}-${take(token, 6)}'
  identity: 'id-${environmentName}-${token}'
  signInIdentity: 'id-${environmentName}-signin-${token}'
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
    localAuth: insightsLocalAuth
  }
}

module network 'modules/network.bicep' = if (withNetwork) {
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
    closed: privateEndpoints && securityGroups
    vistaPort: vistaPort
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
    private: privateEndpoints
    zoneRedundant: zoneRedundant
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

module cache 'modules/redis.bicep' = if (withRedis) {
  name: 'redis'
  params: {
    location: location
    tags: tags
    name: names.redis
    private: privateEndpoints
    highAvailability: redis == 'replicated'
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
    private: privateEndpoints
    allowedAddresses: operators
    workspaceId: monitoring.outputs.workspaceId
  }
}

module endpoints 'modules/private-endpoints.bicep' = if (privateEndpoints) {
  name: 'private-endpoints'
  params: {
    location: location
    tags: tags
    names: names
    networkId: network!.outputs.id
    subnetId: network!.outputs.endpointSubnetId
    withBus: privateBus
    withRedis: withRedis
  }
  dependsOn: [storage, bus, cache, vault]
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

// The registry may be in another group or subscription. Before the app: without the role its first image is refused.
module pull 'modules/registry-role.bicep' = if (!empty(containerRegistryId)) {
  name: 'registry-role'
  scope: resourceGroup(registry[2], registry[4])
  params: { registryName: last(registry), principalId: identity.outputs.principalId }
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
    signInClientId: signInClientId
    packages: packages
    containerImage: containerImage
    containerRegistry: !empty(containerRegistryId)
    maximumInstances: maximumInstances
    zoneRedundant: zoneRedundant
    subnetId: withNetwork ? network!.outputs.appSubnetId : ''
    redisHost: withRedis ? cache!.outputs.hostName : ''
    allowedAddresses: appAddresses
    safetyampFqdn: safetyampFqdn
    graphTenantId: graphTenantId
    graphClientId: graphClientId
    syncSchedule: syncSchedule
    syncSettings: syncSettings
    workspaceId: monitoring.outputs.workspaceId
  }
  dependsOn: [roles, pull, endpoints, storage, vault]
}

module watching 'modules/watching.bicep' = {
  name: 'watching'
  params: {
    location: location
    tags: tags
    names: names
    withRedis: withRedis
    onePlace: size == 'small'
    hostName: app.outputs.hostName
    emails: alertEmails
    webhookUrl: alertWebhookUrl
    runbookUrl: runbookUrl
    syncIntervalMinutes: syncIntervalMinutes
    monthlyBudget: monthlyBudget
    budgetStart: budgetStart
  }
  dependsOn: [bus, cache, monitoring]
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
output SIGN_IN_SUBJECT string = app.outputs.signInSubject
output VPN_GATEWAY_ADDRESS string = withVpn ? vpn!.outputs.gatewayAddress : ''
