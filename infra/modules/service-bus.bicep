// The bus and its two queues. Identities only; duplicate detection, where the tier has it, drops repeats of the
// same sending, which would cost work and nothing else.

import { BusTier, queues } from 'types.bicep'

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of the namespace.')
@minLength(6)
@maxLength(50)
param name string

@description('Tier. Only Premium takes private endpoints.')
param sku BusTier

@description('Whether to close the public endpoint; needs Premium.')
param private bool

@description('Workspace of the logs.')
param workspaceId string

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' = {
  name: name
  location: location
  tags: tags
  sku: sku == 'Premium' ? { name: sku, tier: sku, capacity: 1 } : { name: sku, tier: sku }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: private && sku == 'Premium' ? 'Disabled' : 'Enabled'
  }
}

// Basic refuses duplicate detection; whether it takes the others, where they are off, is not known.
// Duplicate detection can be set at creation only.
var ofStandard = {
  requiresDuplicateDetection: true
  duplicateDetectionHistoryTimeWindow: 'P1D'
  requiresSession: false
  enablePartitioning: false
}
var beyondBasic = sku == 'Basic' ? {} : ofStandard

// A batch is put off by hours at most (the breaker, a full window); two days leave room for a weekend, after which a
// message is dead and its work ends as failed.
resource queue 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' = [
  for queueName in [queues.entity, queues.batch]: {
    parent: namespace
    name: queueName
    properties: {
      lockDuration: 'PT1M'
      maxDeliveryCount: 10
      ...beyondBasic
      defaultMessageTimeToLive: 'P2D'
      deadLetteringOnMessageExpiration: true
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
