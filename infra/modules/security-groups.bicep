// What may leave the app's subnet, and what may reach the private endpoints: the rest is refused.

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of the network.')
param networkName string

@description('Address range of the app\'s subnet.')
param appPrefix string

@description('Port of a Vista in the internet; 0: Vista is reached through the network.')
param vistaPort int

// HTTPS: SafetyAmp, Samsara, Graph, sign-in, telemetry, packages. 5671 and 5672: the bus.
var outgoingPorts = concat(['443', '5671', '5672'], vistaPort == 0 ? [] : [string(vistaPort)])

resource app 'Microsoft.Network/networkSecurityGroups@2025-09-01' = {
  name: 'nsg-app-${networkName}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        // Private endpoints; and what peering or VPN lead to: Vista at whatever port, DNS servers.
        name: 'network'
        properties: {
          direction: 'Outbound'
          priority: 100
          access: 'Allow'
          protocol: '*'
          sourceAddressPrefix: 'VirtualNetwork'
          sourcePortRange: '*'
          destinationAddressPrefix: 'VirtualNetwork'
          destinationPortRange: '*'
        }
      }
      {
        name: 'internet'
        properties: {
          direction: 'Outbound'
          priority: 110
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: 'VirtualNetwork'
          sourcePortRange: '*'
          destinationAddressPrefix: 'Internet'
          destinationPortRanges: outgoingPorts
        }
      }
      {
        name: 'nothing-else'
        properties: {
          direction: 'Outbound'
          priority: 4096
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource endpoints 'Microsoft.Network/networkSecurityGroups@2025-09-01' = {
  name: 'nsg-endpoints-${networkName}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        // 10000: Redis.
        name: 'app'
        properties: {
          direction: 'Inbound'
          priority: 100
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: appPrefix
          sourcePortRange: '*'
          destinationAddressPrefix: 'VirtualNetwork'
          destinationPortRanges: ['443', '5671', '5672', '10000']
        }
      }
      {
        name: 'nobody-else'
        properties: {
          direction: 'Inbound'
          priority: 4096
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

output appId string = app.id
output endpointsId string = endpoints.id
