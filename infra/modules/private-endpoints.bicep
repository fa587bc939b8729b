// The private endpoints of everything that takes one, and their DNS zones.

import { Names } from 'types.bicep'

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Names of the resources.')
param names Names

@description('The network.')
param networkId string

@description('Subnet of the endpoints.')
param subnetId string

@description('Whether Service Bus takes one: only its Premium tier does.')
param withBus bool

@description('Whether there is a Redis.')
param withRedis bool

var allZones = {
  blob: 'privatelink.blob.${environment().suffixes.storage}'
  queue: 'privatelink.queue.${environment().suffixes.storage}'
  table: 'privatelink.table.${environment().suffixes.storage}'
  vault: 'privatelink.vaultcore.azure.net'
  redisEnterprise: 'privatelink.redis.azure.net'
  namespace: 'privatelink.servicebus.windows.net'
}

var always = [
  { service: 'blob', target: names.hostStorage, type: 'Microsoft.Storage/storageAccounts' }
  { service: 'queue', target: names.hostStorage, type: 'Microsoft.Storage/storageAccounts' }
  { service: 'table', target: names.hostStorage, type: 'Microsoft.Storage/storageAccounts' }
  { service: 'blob', target: names.documentsStorage, type: 'Microsoft.Storage/storageAccounts' }
  { service: 'vault', target: names.vault, type: 'Microsoft.KeyVault/vaults' }
]
var redis = [
  { service: 'redisEnterprise', target: names.redis, type: 'Microsoft.Cache/redisEnterprise' }
]
var bus = [
  { service: 'namespace', target: names.bus, type: 'Microsoft.ServiceBus/namespaces' }
]
var endpoints = concat(always, withRedis ? redis : [], withBus ? bus : [])
// Only the zones of what is there: each costs a little, and one without an endpoint hides the public name.
var services = concat(['blob', 'queue', 'table', 'vault'], withRedis ? ['redisEnterprise'] : [], withBus ? ['namespace'] : [])

module zones 'private-dns.bicep' = [
  for service in services: {
    name: 'dns-${service}'
    params: {
      tags: tags
      zone: allZones[service]
      networkId: networkId
    }
  }
]

module links 'private-endpoint.bicep' = [
  for endpoint in endpoints: {
    name: 'endpoint-${endpoint.target}-${endpoint.service}'
    params: {
      location: location
      tags: tags
      target: endpoint.target
      targetId: resourceId(endpoint.type, endpoint.target)
      service: endpoint.service
      subnetId: subnetId
      zoneId: resourceId('Microsoft.Network/privateDnsZones', allZones[endpoint.service])
    }
    dependsOn: [zones]
  }
]
