// Lets the app's identity pull images from a registry, which may be in another resource group.

@description('Name of the registry.')
param registryName string

@description('Object id of the app\'s identity.')
param principalId string

var role = {
  acrPull: '7f951dda-4ed3-4680-a7ca-43fe172d538d'
}

resource registry 'Microsoft.ContainerRegistry/registries@2025-11-01' existing = {
  name: registryName
}

resource onRegistry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: registry
  name: guid(registry.id, principalId, role.acrPull)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.acrPull)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
