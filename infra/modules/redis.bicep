// Azure Managed Redis: cache, limiter and breaker of all instances. The app's identity signs in; no keys.

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of the cluster.')
param name string

@description('Whether it is reached through its private endpoint only.')
param private bool

@description('Whether a second node stands by. Without one a failure empties the limiter\'s window and the cache, which the app survives.')
param highAvailability bool

@description('Object id of the identity that may use it.')
param principalId string

@description('Workspace of the logs.')
param workspaceId string

resource cluster 'Microsoft.Cache/redisEnterprise@2025-07-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: 'Balanced_B0' }
  properties: {
    minimumTlsVersion: '1.2'
    highAvailability: highAvailability ? 'Enabled' : 'Disabled'
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
  }
}

// EnterpriseCluster: one endpoint for a plain client. NoEviction: keys of limiter and breaker must not vanish
// under pressure; the cache is bounded by its TTLs.
resource database 'Microsoft.Cache/redisEnterprise/databases@2025-07-01' = {
  parent: cluster
  name: 'default'
  properties: {
    clientProtocol: 'Encrypted'
    port: 10000
    clusteringPolicy: 'EnterpriseCluster'
    evictionPolicy: 'NoEviction'
    accessKeysAuthentication: 'Disabled'
  }
}

resource access 'Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments@2025-07-01' = {
  parent: database
  name: 'app'
  properties: {
    accessPolicyName: 'default'
    user: { objectId: principalId }
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: database
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [
      { categoryGroup: 'allLogs', enabled: true }
    ]
  }
}

output hostName string = cluster.properties.hostName
