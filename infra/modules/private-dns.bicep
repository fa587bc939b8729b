// A private DNS zone, linked to the network.

@description('Tags.')
param tags object

@description('Name of the zone.')
param zone string

@description('Network that uses it.')
param networkId string

resource dns 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: zone
  location: 'global'
  tags: tags

  resource link 'virtualNetworkLinks' = {
    name: 'network'
    location: 'global'
    tags: tags
    properties: {
      virtualNetwork: { id: networkId }
      registrationEnabled: false
    }
  }
}

output id string = dns.id
