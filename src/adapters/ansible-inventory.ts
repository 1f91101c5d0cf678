import {readFile} from 'node:fs/promises'
import type {ParsedNode} from 'yaml'
import {parseAnsibleIni} from '../core/codec/ansible-ini.js'
import {ansibleReach} from '../core/codec/ansible-inventory.js'
import type {AnsibleInventory} from '../core/codec/ansible-inventory.js'
import {ansibleFromObject} from '../core/codec/ansible-object.js'
import type {HostSettings, Inventory, InventoryCluster} from '../core/model/inventory.js'
import {QuorateError} from '../errors.js'
import {readYaml} from './yaml-text.js'

const MAX_BYTES = 4 * 1024 * 1024

function invalid(
  path: string,
  what: string,
  place?: {readonly line: number; readonly column: number},
): QuorateError {
  const where = place === undefined ? path : `${path}:${place.line}:${place.column}`
  return new QuorateError('INVENTORY_INVALID', `${where}: ${what}`, {details: {path, ...place}})
}

async function readText(path: string): Promise<string> {
  try {
    const bytes = await readFile(path)
    if (bytes.length > MAX_BYTES) throw invalid(path, `the file is larger than ${MAX_BYTES} bytes.`)
    return bytes.toString('utf8')
  } catch (error) {
    if (error instanceof QuorateError) throw error
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT'
    throw new QuorateError(
      absent ? 'INVENTORY_NOT_FOUND' : 'INVENTORY_INVALID',
      `${path} cannot be read: ${(error as Error).message}.`,
      {cause: error},
    )
  }
}

const isYaml = (path: string): boolean => /\.ya?ml$/i.test(path)

/** Whether a file is an Ansible inventory rather than ours: not YAML at all, or YAML without our `clusters`. */
export async function isAnsibleInventory(path: string): Promise<boolean> {
  const text = await readText(path)
  return isYaml(path) ? !/^clusters\s*:/m.test(text) && /^\s+(hosts|children)\s*:/m.test(text) : true
}

function clustersOf(inventory: AnsibleInventory): readonly InventoryCluster[] {
  const named = [...inventory.groups].filter(
    ([name, hosts]) => name !== 'all' && name !== 'ungrouped' && hosts.length > 0,
  )
  const groups = named.length > 0 ? named : [['all', [...inventory.hosts.keys()]] as const]
  return groups.map(([name, hosts]) => ({
    name,
    product: 'consul',
    hosts: hosts.flatMap(host => {
      const known = inventory.hosts.get(host)
      if (known === undefined) return []
      const {address, port, user, identityFile} = ansibleReach(known)
      const connection = known.variables.get('ansible_connection')
      const settings: HostSettings = {
        address,
        port,
        user,
        identityFiles: identityFile === undefined ? undefined : [identityFile],
        transport: connection === 'local' ? 'local' : undefined,
      }
      return [{name: host, settings}]
    }),
  }))
}

/** Reads an Ansible inventory, INI or YAML: each group with hosts is a cluster. Throws INVENTORY_INVALID with the place. */
export async function readAnsibleInventory(path: string): Promise<Inventory> {
  const text = await readText(path)
  const inventory = isYaml(path) ? await fromYaml(text, path) : fromIni(text, path)
  if (inventory.hosts.size === 0) throw invalid(path, 'the inventory names no host.')
  return {path, clusters: clustersOf(inventory)}
}

function fromIni(text: string, path: string): AnsibleInventory {
  const parsed = parseAnsibleIni(text, path)
  if (!parsed.ok) throw invalid(path, `${parsed.problem.message}.`, parsed.problem)
  return parsed.value
}

async function fromYaml(text: string, path: string): Promise<AnsibleInventory> {
  const {value, document, counter} = await readYaml(text, (what, place) =>
    invalid(path, what, place && {line: place.line, column: place.col}),
  )
  const result = ansibleFromObject(value)
  if (result.ok) return result.value
  const node = document.getIn(result.path, true) as ParsedNode | null
  const offset = node?.range?.[0]
  const place = offset === undefined ? undefined : counter.linePos(offset)
  throw invalid(path, `${result.message}.`, place && {line: place.line, column: place.col})
}
