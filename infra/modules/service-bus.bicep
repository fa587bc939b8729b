// The bus and its two queues. Identities only; duplicate detection drops repeats of the same sending.

import { queues } from 'types.bicep'

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of the namespace.')
@minLength(6)
@maxLength(50)
param name string

@description('Standard is reached through its public endpoint, by identities with a role only. Only Premium takes private endpoints.')
@allowed(['Standard', 'Premium'])
param sku string

@description('Whether to close the public endpoint; needs Premium.')
param private bool

@description('Workspace of the logs.')
param workspaceId string

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' = {
  name: name
  location: location
  tags: tags
  sku: sku == 'Premium' ? { name: 'Premium', tier: 'Premium', capacity: 1 } : { name: 'Standard', tier: 'Standard' }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: private && sku == 'Premium' ? 'Disabled' : 'Enabled'
  }
}

// Duplicate detection can be set at creation only. A batch is put off by hours at most (the breaker, a full
// window); two days leave room for a weekend, after which a message is dead and its work ends as failed.
resource queue 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' = [
  for queueName in [queues.entity, queues.batch]: {
    parent: namespace
    name: queueName
    properties: {
      lockDuration: 'PT1M'
      maxDeliveryCount: 10
      requiresDuplicateDetection: true
      duplicateDetectionHistoryTimeWindow: 'P1D'
      defaultMessageTimeToLive: 'P2D'
      deadLetteringOnMessageExpiration: true
      requiresSession: false
      enablePartitioning: false
      maxSizeInMegabytes: 1024
    }
  }
]

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: namespace
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'OperationalLogs', enabled: true }
    ]
    metrics: [
      { category: 'AllMetrics', enabled: true }
    ]
  }
}

output id string = namespace.id
