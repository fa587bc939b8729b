// The virtual network: a subnet for the app's outgoing calls, one for private endpoints, one for a VPN gateway.

import { Hosting, OnPremises } from 'types.bicep'

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of the network.')
param name string

@description('Where the app runs; the app\'s subnet is delegated to it.')
param hosting Hosting

@description('Address range, at least /24, that is free in your networks.')
param addressPrefix string

@description('DNS servers that know the name of the Vista server; empty: Azure\'s.')
param dnsServers string[]

@description('The way to Vista.')
param onPremises OnPremises

@description('Whether security groups let through only what is needed. On Container Apps the platform\'s own traffic is not known well enough to do so.')
param closed bool

@description('Port of a Vista in the internet, where onPremises is none.')
param vistaPort int

@description('Whether outgoing calls leave through a NAT gateway with one public address.')
param fixedOutgoingAddress bool

var withGroups = closed && hosting != 'container'
var appPrefix = cidrSubnet(addressPrefix, 26, 0)
var delegation = hosting == 'premium' ? 'Microsoft.Web/serverFarms' : 'Microsoft.App/environments'

resource address 'Microsoft.Network/publicIPAddresses@2025-09-01' = if (fixedOutgoingAddress) {
  name: 'pip-${name}'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: { publicIPAllocationMethod: 'Static' }
}

resource nat 'Microsoft.Network/natGateways@2025-09-01' = if (fixedOutgoingAddress) {
  name: 'nat-${name}'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: { publicIpAddresses: [{ id: address.id }] }
}

module groups 'security-groups.bicep' = if (withGroups) {
  name: 'security-groups'
  params: {
    location: location
    tags: tags
    networkName: name
    appPrefix: appPrefix
    vistaPort: onPremises.kind == 'none' ? vistaPort : 0
  }
}

resource network 'Microsoft.Network/virtualNetworks@2025-09-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
    dhcpOptions: { dnsServers: dnsServers }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: appPrefix
          networkSecurityGroup: withGroups ? { id: groups!.outputs.appId } : null
          natGateway: fixedOutgoingAddress ? { id: nat.id } : null
          // New networks are closed to the internet unless they say otherwise; SafetyAmp, Graph and Samsara are there.
          defaultOutboundAccess: !fixedOutgoingAddress
          delegations: [
            {
              name: 'app'
              properties: { serviceName: delegation }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 1)
          networkSecurityGroup: withGroups ? { id: groups!.outputs.endpointsId } : null
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
      {
        name: 'GatewaySubnet'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 27, 4)
        }
      }
    ]
  }
}

resource peering 'Microsoft.Network/virtualNetworks/virtualNetworkPeerings@2025-09-01' = if (onPremises.kind == 'peering') {
  parent: network
  name: 'hub'
  properties: {
    remoteVirtualNetwork: { id: onPremises.?hubNetworkId ?? '' }
    useRemoteGateways: onPremises.?useHubGateway ?? false
    allowForwardedTraffic: true
    allowVirtualNetworkAccess: true
    allowGatewayTransit: false
  }
}

output id string = network.id
output appSubnetId string = '${network.id}/subnets/app'
output endpointSubnetId string = '${network.id}/subnets/endpoints'
output gatewaySubnetId string = '${network.id}/subnets/GatewaySubnet'
