// What the app's identity may do, per resource and no more. (Redis has an access policy of its own.)

import { Hosting, Names, documentsContainer, packagesContainer, queues } from 'types.bicep'

@description('Names of the resources.')
param names Names

@description('Where the app runs.')
param hosting Hosting

@description('Object id of the app\'s identity.')
param principalId string

@description('Object id of the person, group or service principal that operates the app; empty: none.')
param operatorId string

@description('What the operator is.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorType string

var role = {
  serviceBusDataOwner: '090c5cfd-751d-490a-894a-3ce6f1109419'
  serviceBusDataReceiver: '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'
  serviceBusDataSender: '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'
  blobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  blobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  blobDataReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  queueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  tableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  secretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
  secretsOfficer: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
  metricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
}

// The functions runtime keeps keys, leases and timers there; Microsoft names these three roles for it.
var hostRoles = [role.blobDataOwner, role.queueDataContributor, role.tableDataContributor]
// Receiver and Sender are all that the app does. KEDA's scaler reads queue lengths, which takes Manage rights.
var queueRoles = hosting == 'container'
  ? [role.serviceBusDataReceiver, role.serviceBusDataSender, role.serviceBusDataOwner]
  : [role.serviceBusDataReceiver, role.serviceBusDataSender]
// On Flex Consumption the platform writes the package there with the app's identity.
var packagesRole = hosting == 'flex' ? role.blobDataContributor : role.blobDataReader

resource hostStorage 'Microsoft.Storage/storageAccounts@2026-04-01' existing = {
  name: names.hostStorage
}

resource documents 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-04-01' existing = {
  name: '${names.documentsStorage}/default/${documentsContainer}'
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-04-01' existing = {
  name: '${names.packagesStorage}/default/${packagesContainer}'
}

resource entityQueue 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' existing = {
  name: '${names.bus}/${queues.entity}'
}

resource batchQueue 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' existing = {
  name: '${names.bus}/${queues.batch}'
}

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: names.vault
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: names.insights
}

resource onHostStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for id in hostRoles: {
    scope: hostStorage
    name: guid(hostStorage.id, principalId, id)
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', id)
      principalId: principalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource onEntityQueue 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for id in queueRoles: {
    scope: entityQueue
    name: guid(entityQueue.id, principalId, id)
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', id)
      principalId: principalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource onBatchQueue 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for id in queueRoles: {
    scope: batchQueue
    name: guid(batchQueue.id, principalId, id)
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', id)
      principalId: principalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource onDocuments 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: documents
  name: guid(documents.id, principalId, role.blobDataContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.blobDataContributor)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource onPackages 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: packages
  name: guid(packages.id, principalId, packagesRole)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', packagesRole)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource onVault 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, principalId, role.secretsUser)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.secretsUser)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource onInsights 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: insights
  name: guid(insights.id, principalId, role.metricsPublisher)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.metricsPublisher)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource operatorOnVault 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorId)) {
  scope: vault
  name: guid(vault.id, operatorId, role.secretsOfficer)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.secretsOfficer)
    principalId: operatorId
    principalType: operatorType
  }
}

resource operatorOnDocuments 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorId)) {
  scope: documents
  name: guid(documents.id, operatorId, role.blobDataReader)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.blobDataReader)
    principalId: operatorId
    principalType: operatorType
  }
}

resource operatorOnPackages 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorId)) {
  scope: packages
  name: guid(packages.id, operatorId, role.blobDataContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.blobDataContributor)
    principalId: operatorId
    principalType: operatorType
  }
}
