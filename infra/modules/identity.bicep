// An identity of the app. User-assigned: it exists before the app, so that its roles do too, and all slots share it.

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of the identity.')
param name string

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

output id string = identity.id
output clientId string = identity.properties.clientId
output principalId string = identity.properties.principalId
