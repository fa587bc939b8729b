// The app settings: where everything is, by identity and without a secret. What is not here keeps its default
// (docs/settings.md) unless the parameter `syncSettings` says otherwise.

import { Names, documentsContainer, queues } from 'types.bicep'

@description('Names of the resources.')
param names Names

@description('SAFETYAMP_FQDN.')
param safetyampFqdn string

@description('MS_GRAPH_TENANT_ID.')
param graphTenantId string

@description('MS_GRAPH_CLIENT_ID.')
param graphClientId string

@description('SYNC_SCHEDULE.')
param syncSchedule string

@description('MAX_PROCESSES: most worker processes at once, over all slots and groups of instances.')
param maxProcesses int

@description('REDIS_HOST; empty: there is no Redis.')
param redisHost string

@description('Further settings by name; they win.')
param syncSettings object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: names.identity
}

resource hostStorage 'Microsoft.Storage/storageAccounts@2026-04-01' existing = {
  name: names.hostStorage
}

resource documents 'Microsoft.Storage/storageAccounts@2026-04-01' existing = {
  name: names.documentsStorage
}

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: names.vault
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: names.insights
}

var clientId = identity.properties.clientId

var settings = {
  ENVIRONMENT: 'production'
  AZURE_CLIENT_ID: clientId
  AZURE_KEY_VAULT_URL: vault.properties.vaultUri

  SAFETYAMP_FQDN: safetyampFqdn
  MS_GRAPH_TENANT_ID: graphTenantId
  MS_GRAPH_CLIENT_ID: graphClientId

  AzureWebJobsStorage__accountName: hostStorage.name
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: clientId
  DOCUMENTS_CONNECTION__blobServiceUri: documents.properties.primaryEndpoints.blob
  DOCUMENTS_CONNECTION__credential: 'managedidentity'
  DOCUMENTS_CONNECTION__clientId: clientId
  DOCUMENTS_CONTAINER: documentsContainer
  SERVICE_BUS_CONNECTION__fullyQualifiedNamespace: '${names.bus}.servicebus.windows.net'
  SERVICE_BUS_CONNECTION__credential: 'managedidentity'
  SERVICE_BUS_CONNECTION__clientId: clientId
  ENTITY_QUEUE: queues.entity
  BATCH_QUEUE: queues.batch

  // The host resolves %NAME% from app settings only: a schedule without one puts its function in error.
  SYNC_SCHEDULE: syncSchedule
  REFRESH_SCHEDULE: '0 30 8 * * *'
  SWEEP_SCHEDULE: '0 */5 * * * *'
  MAX_PROCESSES: string(maxProcesses)

  APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'Authorization=AAD;ClientId=${clientId}'
  APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL: 'true'
  // `/` answers 204 instead of Azure's page that advertises what runs here.
  AzureWebJobsDisableHomepage: 'true'
  // Two queue functions of two calls each, HTTP, timers: more than the default of five threads on one core.
  PYTHON_THREADPOOL_THREAD_COUNT: '16'
}

var redis = {
  REDIS_HOST: redisHost
  REDIS_PORT: '10000'
  REDIS_SSL: 'true'
  REDIS_AUTH: 'entra'
  REDIS_USERNAME: identity.properties.principalId
}

output settings object = union(settings, empty(redisHost) ? {} : redis, syncSettings)
