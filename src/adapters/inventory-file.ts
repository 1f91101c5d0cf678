import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {homedir} from 'node:os'
import {dirname, join, resolve} from 'node:path'
import type {LineCounter, ParsedNode, Document} from 'yaml'
import type {HostSettings, Inventory, InventoryCluster, InventoryHost} from '../core/model/inventory.js'
import {mergeSettings} from '../core/model/inventory.js'
import {QuorateError} from '../errors.js'
import {inventorySchema} from './inventory-schema.js'
import type {RawHost, RawSettings} from './inventory-schema.js'
import {readYaml} from './yaml-text.js'

const MAX_BYTES = 4 * 1024 * 1024

/** Where an inventory is looked for when none is named: here, then in the user's configuration. */
export function inventoryPlaces(
  env: Readonly<Record<string, string | undefined>>,
  workingDir: string,
): readonly string[] {
  const configHome = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config')
  return [join(workingDir, 'quorate.yaml'), join(configHome, 'quorate', 'quorate.yaml')]
}

/** The first inventory file that exists, or undefined. */
export function findInventory(
  env: Readonly<Record<string, string | undefined>>,
  workingDir: string,
): string | undefined {
  return inventoryPlaces(env, workingDir).find(path => existsSync(path))
}

/** A path of the inventory: `~` is the user's home, anything relative stands beside the inventory. */
function expandPath(text: string, base: string): string {
  if (text === '~' || text.startsWith('~/')) return join(homedir(), text.slice(1))
  return resolve(base, text)
}

function settingsOf(raw: RawSettings, base: string): HostSettings {
  const ssh = raw.ssh ?? {}
  const list = (value: string | readonly string[] | undefined): readonly string[] | undefined =>
    value === undefined ? undefined : typeof value === 'string' ? [value] : value
  const sudo = raw.sudo
  const source = (value: {env?: string | undefined; file?: string | undefined} | undefined) =>
    value === undefined
      ? undefined
      : value.env !== undefined
        ? {env: value.env}
        : value.file !== undefined
          ? {file: expandPath(value.file, base)}
          : undefined
  return {
    transport: raw.transport,
    address: raw.address,
    user: ssh.user,
    port: ssh.port,
    identityFiles: list(ssh.identity)?.map(path => expandPath(path, base)),
    jump: list(ssh.jump),
    knownHostsFiles: list(ssh.known_hosts)?.map(path => expandPath(path, base)),
    sudo: typeof sudo === 'boolean' ? sudo : sudo === undefined ? undefined : true,
    sudoPassword:
      typeof sudo === 'object' ? (sudo.password === 'ask' ? 'ask' : source(sudo.password)) : undefined,
    dataDir: raw.data_dir,
    configDir: raw.config_dir,
    logFile: raw.log_file,
    service: typeof raw.service === 'string' ? {unit: raw.service} : raw.service,
    http: raw.http,
    token: source(raw.token),
    tls:
      raw.tls === undefined
        ? undefined
        : {
            ca: raw.tls.ca === undefined ? undefined : expandPath(raw.tls.ca, base),
            certificate: raw.tls.cert === undefined ? undefined : expandPath(raw.tls.cert, base),
            key: raw.tls.key === undefined ? undefined : expandPath(raw.tls.key, base),
            serverName: raw.tls.server_name,
          },
  }
}

/** One sentence with the place: `quorate.yaml:3:5: …`. */
function problemAt(
  path: string,
  place: {readonly line: number; readonly col: number} | undefined,
  what: string,
): QuorateError {
  const where = place === undefined ? path : `${path}:${place.line}:${place.col}`
  return new QuorateError('INVENTORY_INVALID', `${where}: ${what}`, {
    details: {path, line: place?.line, column: place?.col},
    hints: ['man 7 quorate-inventory shows a whole inventory'],
  })
}

/** The place of the deepest node that exists on the way to `keys`. */
function placeOf(
  document: Document.Parsed,
  counter: LineCounter,
  keys: readonly PropertyKey[],
): {line: number; col: number} {
  for (let depth = keys.length; depth >= 0; depth--) {
    const node = (
      depth === 0 ? document.contents : document.getIn(keys.slice(0, depth), true)
    ) as ParsedNode | null
    const offset = node?.range?.[0]
    if (offset !== undefined) return counter.linePos(offset)
  }
  return {line: 1, col: 1}
}

/** Reads and checks an inventory. Throws INVENTORY_INVALID with file, line and column. */
export async function readInventory(path: string): Promise<Inventory> {
  let text: string
  try {
    const bytes = await readFile(path)
    if (bytes.length > MAX_BYTES)
      throw problemAt(path, undefined, `the file is larger than ${MAX_BYTES} bytes.`)
    text = bytes.toString('utf8')
  } catch (error) {
    if (error instanceof QuorateError) throw error
    const code = (error as NodeJS.ErrnoException).code
    throw new QuorateError(
      code === 'ENOENT' ? 'INVENTORY_NOT_FOUND' : 'INVENTORY_INVALID',
      `${path} cannot be read: ${(error as Error).message}.`,
      {cause: error, details: {path}},
    )
  }
  return parseInventory(text, path)
}

/** Parses the text of an inventory; `path` names it in errors and anchors its relative paths. */
export async function parseInventory(text: string, path: string): Promise<Inventory> {
  const {value, document, counter} = await readYaml(text, (what, place) => problemAt(path, place, what))
  const parsed = inventorySchema.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const keys = issue?.path ?? []
    throw problemAt(
      path,
      placeOf(document, counter, keys),
      `${keys.length === 0 ? '' : `'${keys.map(String).join('.')}': `}${issue?.message ?? 'not as expected'}.`,
    )
  }
  const base = dirname(resolve(path))
  const defaults = settingsOf(parsed.data.defaults ?? {}, base)
  const clusters: InventoryCluster[] = Object.entries(parsed.data.clusters).map(([name, cluster]) => {
    const shared = mergeSettings(defaults, settingsOf(cluster, base))
    const hosts: InventoryHost[] = cluster.hosts.map((raw: RawHost) =>
      typeof raw === 'string'
        ? {name: raw, settings: shared}
        : {name: raw.name, settings: mergeSettings(shared, settingsOf(raw, base))},
    )
    const names = new Set<string>()
    hosts.forEach((host, index) => {
      if (names.has(host.name)) {
        const place = placeOf(document, counter, ['clusters', name, 'hosts', index])
        throw problemAt(path, place, `host '${host.name}' is named twice in cluster '${name}'.`)
      }
      names.add(host.name)
    })
    return {name, product: cluster.product, hosts}
  })
  return {path, clusters}
}
