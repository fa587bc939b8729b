// The app, on the hosting that was chosen. Application code does not know the difference.

import { Hosting, Names, Packages } from 'types.bicep'

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Names of the resources.')
param names Names

@description('Where the app runs.')
param hosting Hosting

@description('Resource id of the identity.')
param identityId string

@description('Client id of the app registration by which people sign in; empty: nobody does.')
param signInClientId string

@description('Packages that the slots of the Premium plan run.')
param packages Packages

@description('Image, for hosting = container.')
param containerImage string

@description('Whether the image\'s registry is asked with the identity.')
param containerRegistry bool

@description('Most instances.')
param maximumInstances int

@description('Whether instances are spread over zones.')
param zoneRedundant bool

@description('Subnet of outgoing calls; empty: none.')
param subnetId string

@description('Host name of Redis; empty: none.')
param redisHost string

@description('Who may call the app; empty: everybody who has a key.')
param allowedAddresses string[]

@description('SAFETYAMP_FQDN.')
param safetyampFqdn string

@description('MS_GRAPH_TENANT_ID.')
param graphTenantId string

@description('MS_GRAPH_CLIENT_ID.')
param graphClientId string

@description('SYNC_SCHEDULE.')
param syncSchedule string

@description('Further settings by name; they win.')
param syncSettings object

@description('Workspace of the logs.')
param workspaceId string

// While Redis is away each process takes its share of SafetyAmp's limit. Premium: production and one instance of
// staging. Flex: every function scales by itself, and three groups may call SafetyAmp (sync_entity, apply_batch, HTTP).
var processes = hosting == 'premium' ? maximumInstances + 1 : hosting == 'flex' ? 3 * maximumInstances : maximumInstances
// Without Redis for good, a process that takes another's place knows nothing of the calls that one made a moment
// ago: half a share each keeps the limit while every one of them is replaced.
var maxProcesses = empty(redisHost) ? 2 * processes : processes

// Availability tests come from Microsoft's addresses, which the service tag stands for.
var availabilityTests = [
  { name: 'availability-tests', priority: 300, action: 'Allow', tag: 'ServiceTag', ipAddress: 'ApplicationInsightsAvailability' }
]
var callers = map(range(0, length(allowedAddresses)), index => {
  name: 'allowed-${index}'
  priority: 100 + index
  action: 'Allow'
  ipAddress: allowedAddresses[index]
})
var restrictions = empty(allowedAddresses) ? [] : concat(callers, availabilityTests)

var withSignIn = !empty(signInClientId)
// Container Apps takes the identity from a secret of its own, and says nothing to the app: SIGN_IN_PROXY is set once
// an operator has seen that the authentication is on, for until then headers come from anybody.
var signInSettings = !withSignIn ? {} : hosting == 'container'
  ? { SIGN_IN: 'entra' }
  : { SIGN_IN: 'entra', OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: registration.identityClientId }

// Apart from the app's own identity: it stands for the registration's secret, and may do nothing in Azure.
module signInIdentity 'identity.bicep' = if (withSignIn) {
  name: 'sign-in-identity'
  params: { location: location, tags: tags, name: names.signInIdentity }
}

var registration = {
  clientId: signInClientId
  identityId: withSignIn ? signInIdentity!.outputs.id : ''
  identityClientId: withSignIn ? signInIdentity!.outputs.clientId : ''
}

module settings 'settings.bicep' = {
  name: 'settings'
  params: {
    names: names
    safetyampFqdn: safetyampFqdn
    graphTenantId: graphTenantId
    graphClientId: graphClientId
    syncSchedule: syncSchedule
    maxProcesses: maxProcesses
    redisHost: redisHost
    syncSettings: union(signInSettings, syncSettings)
  }
}

module premium 'function-premium.bicep' = if (hosting == 'premium') {
  name: 'function-premium'
  params: {
    location: location
    tags: tags
    names: names
    identityId: identityId
    signInIdentityId: registration.identityId
    settings: settings.outputs.settings
    packages: packages
    subnetId: subnetId
    restrictions: restrictions
    maximumInstances: maximumInstances
    zoneRedundant: zoneRedundant
    workspaceId: workspaceId
  }
}

module flex 'function-flex.bicep' = if (hosting == 'flex') {
  name: 'function-flex'
  params: {
    location: location
    tags: tags
    names: names
    identityId: identityId
    signInIdentityId: registration.identityId
    settings: settings.outputs.settings
    subnetId: subnetId
    restrictions: restrictions
    maximumInstances: maximumInstances
    zoneRedundant: zoneRedundant
    workspaceId: workspaceId
  }
}

module container 'container-app.bicep' = if (hosting == 'container') {
  name: 'container-app'
  params: {
    location: location
    tags: tags
    names: names
    identityId: identityId
    registration: registration
    settings: settings.outputs.settings
    image: containerImage
    identityPulls: containerRegistry
    subnetId: subnetId
    allowedAddresses: allowedAddresses
    maximumReplicas: maximumInstances
    zoneRedundant: zoneRedundant
    workspaceId: workspaceId
  }
}

module signIn 'sign-in.bicep' = if (withSignIn && hosting != 'container') {
  name: 'sign-in'
  params: { names: names, clientId: signInClientId, hasStaging: hosting == 'premium' }
  dependsOn: [premium, flex]
}

output hostName string = hosting == 'premium'
  ? premium!.outputs.hostName
  : hosting == 'flex' ? flex!.outputs.hostName : container!.outputs.hostName
output signInSubject string = withSignIn ? signInIdentity!.outputs.principalId : ''
