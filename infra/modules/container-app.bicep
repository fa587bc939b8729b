// The app as a container on Container Apps, scaled by KEDA on the lengths of the queues. One replica always
// runs: timers have no scaler.

import { Names, Registration, queues } from 'types.bicep'

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Names of the resources.')
param names Names

@description('Resource id of the identity.')
param identityId string

@description('By what people sign in.')
param registration Registration

@description('App settings.')
param settings object

@description('Image, such as myregistry.azurecr.io/safetyamp-sync:1.0.0.')
param image string

@description('Whether the image is pulled with the identity; else its registry lets everybody pull.')
param identityPulls bool

@description('Subnet of the environment; empty: none.')
param subnetId string

@description('Who may call the app; empty: everybody who has a key.')
param allowedAddresses string[]

@description('Most replicas.')
param maximumReplicas int

@description('Whether replicas are spread over zones; needs a subnet.')
param zoneRedundant bool

@description('Workspace of the logs.')
param workspaceId string

// The Dockerfile's: it runs as a user who may not open a lower one.
var port = 8080
// Without it each replica makes up an id of its own from its machine's name, and with it its own keys and timers.
var hostId = { AzureFunctionsWebHost__hostid: take(toLower(names.app), 32) }
var withSignIn = !empty(registration.clientId)
// A secret of this name says which identity stands for the registration's secret; its value is none.
var identitySecret = 'override-use-mi-fic-assertion-client-id'
var environmentVariables = map(items(union(settings, hostId)), setting => { name: setting.key, value: setting.value })

resource managed 'Microsoft.App/managedEnvironments@2026-01-01' = {
  name: 'cae-${names.app}'
  location: location
  tags: tags
  properties: {
    appLogsConfiguration: { destination: 'azure-monitor' }
    zoneRedundant: zoneRedundant
    workloadProfiles: [
      { name: 'Consumption', workloadProfileType: 'Consumption' }
    ]
    vnetConfiguration: empty(subnetId) ? null : { infrastructureSubnetId: subnetId, internal: false }
  }
}

resource app 'Microsoft.App/containerApps@2026-01-01' = {
  name: names.app
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: union({ '${identityId}': {} }, withSignIn ? { '${registration.identityId}': {} } : {})
  }
  properties: {
    environmentId: managed.id
    workloadProfileName: 'Consumption'
    configuration: {
      // One revision: a second one would take messages too. A release is a rolling update, a rollback the image before.
      activeRevisionsMode: 'Single'
      registries: identityPulls ? [{ server: split(image, '/')[0], identity: identityId }] : []
      secrets: withSignIn ? [{ name: identitySecret, value: registration.identityClientId }] : []
      ingress: {
        external: true
        targetPort: port
        transport: 'auto'
        allowInsecure: false
        ipSecurityRestrictions: map(range(0, length(allowedAddresses)), index => {
          name: 'allowed-${index}'
          action: 'Allow'
          ipAddressRange: allowedAddresses[index]
        })
        traffic: [
          { latestRevision: true, weight: 100 }
        ]
      }
    }
    template: {
      terminationGracePeriodSeconds: 60
      containers: [
        {
          name: 'app'
          image: image
          resources: { cpu: json('0.5'), memory: '1Gi' }
          env: environmentVariables
          probes: [
            { type: 'Startup', httpGet: { path: '/health', port: port }, periodSeconds: 5, failureThreshold: 30 }
            { type: 'Liveness', httpGet: { path: '/health', port: port }, periodSeconds: 30, failureThreshold: 3 }
          ]
        }
      ]
      scale: {
        minReplicas: zoneRedundant ? 2 : 1
        maxReplicas: maximumReplicas
        rules: [
          for queue in [queues.entity, queues.batch]: {
            name: queue
            custom: {
              type: 'azure-servicebus'
              identity: identityId
              metadata: { namespace: names.bus, queueName: queue, messageCount: '4' }
            }
          }
        ]
      }
    }
  }
}

// As modules/sign-in.bicep before the function app. Without a token store, which would be a blob container.
resource signIn 'Microsoft.App/containerApps/authConfigs@2026-01-01' = if (withSignIn) {
  parent: app
  name: 'current'
  properties: {
    platform: { enabled: true }
    globalValidation: { unauthenticatedClientAction: 'AllowAnonymous', redirectToProvider: 'azureactivedirectory' }
    httpSettings: { requireHttps: true }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: registration.clientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
          clientSecretSettingName: identitySecret
        }
        validation: { allowedAudiences: ['api://${registration.clientId}'] }
      }
    }
    login: {
      preserveUrlFragmentsForLogins: true
      cookieExpiration: { convention: 'FixedTime', timeToExpiration: '08:00:00' }
    }
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: managed
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'ContainerAppConsoleLogs', enabled: true }
      { category: 'ContainerAppSystemLogs', enabled: true }
    ]
  }
}

output hostName string = app.properties.configuration.ingress.fqdn
