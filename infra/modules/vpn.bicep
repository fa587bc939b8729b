// A site-to-site VPN to the network in which Vista stands. Azure takes about 40 minutes to make the gateway.

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name that the parts share.')
param name string

@description('Subnet named GatewaySubnet.')
param gatewaySubnetId string

@description('Public address of the VPN device on your side.')
param deviceAddress string

@description('Address ranges behind it.')
param addressPrefixes string[]

@description('Key that both ends share.')
@secure()
param sharedKey string

resource address 'Microsoft.Network/publicIPAddresses@2025-09-01' = {
  name: 'pip-${name}'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  zones: ['1', '2', '3']
  properties: { publicIPAllocationMethod: 'Static' }
}

resource gateway 'Microsoft.Network/virtualNetworkGateways@2025-09-01' = {
  name: 'vgw-${name}'
  location: location
  tags: tags
  properties: {
    gatewayType: 'Vpn'
    vpnType: 'RouteBased'
    vpnGatewayGeneration: 'Generation1'
    sku: { name: 'VpnGw1AZ', tier: 'VpnGw1AZ' }
    ipConfigurations: [
      {
        name: 'default'
        properties: {
          subnet: { id: gatewaySubnetId }
          publicIPAddress: { id: address.id }
        }
      }
    ]
  }
}

resource office 'Microsoft.Network/localNetworkGateways@2025-09-01' = {
  name: 'lgw-${name}'
  location: location
  tags: tags
  properties: {
    gatewayIpAddress: deviceAddress
    localNetworkAddressSpace: { addressPrefixes: addressPrefixes }
  }
}

resource connection 'Microsoft.Network/connections@2025-09-01' = {
  name: 'con-${name}'
  location: location
  tags: tags
  properties: {
    connectionType: 'IPsec'
    connectionProtocol: 'IKEv2'
    virtualNetworkGateway1: { id: gateway.id, properties: {} }
    localNetworkGateway2: { id: office.id, properties: {} }
    sharedKey: sharedKey
  }
}

output gatewayAddress string = address.properties.ipAddress
