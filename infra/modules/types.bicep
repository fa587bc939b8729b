// Types and lists that several modules share.

@export()
@description('How much is deployed. small: Flex Consumption, everything at public endpoints that take identities only. private: the same behind private endpoints. slots: as private, on Elastic Premium with a staging slot. container: as private, as an image on Container Apps.')
type Size = 'small' | 'private' | 'slots' | 'container'

@export()
@description('Where the app runs, which the size decides: Elastic Premium with a staging slot, Flex Consumption, or Container Apps.')
type Hosting = 'premium' | 'flex' | 'container'

@export()
@description('Whether there is a Redis: none, one node, or two at twice the price.')
type RedisNodes = 'none' | 'single' | 'replicated'

@export()
@description('Who gets into the API: whoever has a function key, or people and applications of this tenant with a role as well.')
type SignIn = 'keys' | 'entra'

@export()
@description('By what people sign in: a registration, and an identity with a federated credential in the place of its secret. Empty texts: nobody signs in.')
type Registration = {
  @description('Client id of the app registration.')
  clientId: string
  @description('Resource id of the identity.')
  identityId: string
  @description('Client id of the identity.')
  identityClientId: string
}

@export()
@description('Tier of Service Bus. Basic drops no duplicates, which the app stands, and has no base charge; Premium alone takes private endpoints.')
type BusTier = 'Basic' | 'Standard' | 'Premium'

@export()
@description('The packages that the slots of the Premium plan run: names of blobs, empty before the first release.')
type Packages = {
  @description('Package of the production slot.')
  production: string
  @description('Package of the staging slot.')
  staging: string
}

@export()
@description('No way to the own network: Vista is reached through the internet, or hosted in Azure.')
type NoConnection = {
  kind: 'none'
}

@export()
@description('Peering with a hub network that has the way to Vista already. The hub needs its half of the peering.')
type PeeringConnection = {
  kind: 'peering'
  @description('Resource id of the hub network.')
  hubNetworkId: string
  @description('Whether to use the hub\'s VPN or ExpressRoute gateway.')
  useHubGateway: bool
}

@export()
@description('A VPN gateway of its own (about 140 USD a month).')
type VpnConnection = {
  kind: 'vpn'
  @description('Public address of the VPN device on your side.')
  deviceAddress: string
  @description('Address ranges behind it, such as 192.168.10.0/24: at least Vista\'s.')
  addressPrefixes: string[]
}

@export()
@description('How the app reaches the network in which Vista stands.')
@discriminator('kind')
type OnPremises = NoConnection | PeeringConnection | VpnConnection

@export()
@description('Names of the resources.')
type Names = {
  @description('The app; also the host name.')
  app: string
  @description('User-assigned identity of the app.')
  identity: string
  @description('User-assigned identity by which the app signs people in.')
  signInIdentity: string
  @description('Storage account that the Functions host itself needs.')
  @minLength(3)
  @maxLength(24)
  hostStorage: string
  @description('Storage account of plans, outcomes and state.')
  @minLength(3)
  @maxLength(24)
  documentsStorage: string
  @description('Storage account of the app\'s packages.')
  @minLength(3)
  @maxLength(24)
  packagesStorage: string
  @description('Service Bus namespace.')
  @minLength(6)
  @maxLength(50)
  bus: string
  @description('Azure Managed Redis.')
  redis: string
  @description('Key Vault.')
  vault: string
  @description('Application Insights.')
  insights: string
  @description('Log Analytics workspace.')
  @minLength(4)
  @maxLength(63)
  workspace: string
  @description('Virtual network.')
  network: string
}

@export()
@description('Name of a container of blobs.')
@minLength(3)
@maxLength(63)
type ContainerName = string

@export()
@description('Queues of the bus: of entities to plan, and of batches to apply.')
var queues = {
  entity: 'entity-sync'
  batch: 'change-batches'
}

@export()
@description('Python that the app deploys on: infra/package takes wheels for this one only.')
var pythonVersion = '3.13'

@export()
@description('Container of the documents.')
var documentsContainer = 'safetyamp-sync'

@export()
@description('Container of the packages.')
var packagesContainer = 'packages'

@export()
@description('Functions that timers and queues start. The staging slot must not run them: nothing may sync twice.')
var backgroundFunctions = [
  'start_scheduled_run'
  'start_nightly_refresh'
  'sweep'
  'sync_entity'
  'apply_batch'
  'give_up_entity'
  'give_up_batch'
]
