// A private endpoint, and the private DNS name under which the network finds it.

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of the resource that it leads to.')
param target string

@description('Resource id of that resource.')
param targetId string

@description('Which of its services: blob, queue, table, vault, redisEnterprise, namespace.')
@allowed(['blob', 'queue', 'table', 'vault', 'redisEnterprise', 'namespace'])
param service string

@description('Subnet of the endpoint.')
param subnetId string

@description('Private DNS zone of that service.')
param zoneId string

resource endpoint 'Microsoft.Network/privateEndpoints@2025-09-01' = {
  name: 'pe-${target}-${service}'
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    customNetworkInterfaceName: 'nic-${target}-${service}'
    privateLinkServiceConnections: [
      {
        name: service
        properties: {
          privateLinkServiceId: targetId
          groupIds: [service]
        }
      }
    ]
  }

  resource zoneGroup 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: service
          properties: { privateDnsZoneId: zoneId }
        }
      ]
    }
  }
}
