import {assert} from '../assert.js'
import type {Configuration} from '../model/configuration.js'
import type {PeersDialect, PeersFile, PeersFileServer, PeersProblem} from '../model/observation.js'
import {printable} from '../text.js'
import {isIpAddress, parseHostPort} from './address.js'
import type {JsonMember, JsonNode} from './json-scan.js'
import {sameKey, scanJson} from './json-scan.js'
import {placeOf} from './parse-problem.js'

/** Files beyond this many bytes are not read as peers.json: no peer set is that large. */
export const PEERS_JSON_BYTES_MAX = 1 << 20
/** More problems than this are not told; one who made so many needs the first few. */
const PROBLEMS_MAX = 100
const KNOWN_KEYS = ['id', 'address', 'non_voter'] as const
const BYTE_ORDER_MARK = '\ufeff'

type Kind = PeersProblem['kind']
interface Located extends PeersFileServer {
  readonly idOffset: number
  readonly addressOffset: number
}

/**
 * Reads a peers.json as Go's decoder would see it (one `json.Decode` into `[]string` or `[]configEntry`, `ReadPeersJSON`
 * and `ReadConfigJSON` in hashicorp/raft peersjson.go): only the first value counts, keys match in any case, unknown
 * keys are ignored. What a human is likely to have got wrong is told besides, each with its place.
 */
export function parsePeersJson(bytes: Uint8Array, sha256: string): PeersFile {
  if (bytes.length > PEERS_JSON_BYTES_MAX) {
    const text = new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes.subarray(0, 1000))
    const problem = {
      kind: 'syntax',
      line: 1,
      column: 1,
      text: `larger than ${PEERS_JSON_BYTES_MAX} bytes`,
    } as const
    return {text, sha256, dialect: 'unparsable', servers: [], problems: [problem]}
  }
  const text = new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes)
  return new Reader(text).file(sha256)
}

class Reader {
  private readonly problems: PeersProblem[] = []

  constructor(private readonly text: string) {}

  file(sha256: string): PeersFile {
    const {dialect, servers} = this.read()
    const plain = servers.map(({id, address, nonVoter}) => ({id, address, nonVoter}))
    return {text: this.text, sha256, dialect, servers: plain, problems: this.problems}
  }

  private read(): {readonly dialect: PeersDialect | 'unparsable'; readonly servers: readonly Located[]} {
    const unparsable = {dialect: 'unparsable', servers: []} as const
    if (this.text === '') return {dialect: 'empty', servers: []}
    const scan = scanJson(this.text)
    if (!scan.ok) {
      if (this.text.startsWith(BYTE_ORDER_MARK))
        this.note('byte-order-mark', 0, 'starts with a byte order mark, which the server takes for garbage')
      else this.note('syntax', scan.offset, scan.message)
      return unparsable
    }
    this.checkTrailing(scan.node.end)
    if (scan.node.kind === 'null') return {dialect: 'empty', servers: []}
    if (scan.node.kind !== 'array') {
      this.note('wrong-type', scan.node.offset, `is ${nameOf(scan.node)}; a list was expected`)
      return unparsable
    }
    if (scan.node.items.length === 0) return {dialect: 'empty', servers: []}
    const dialect = this.dialectOf(scan.node.items)
    if (dialect === undefined) return unparsable
    const before = this.problems.length
    const servers = scan.node.items.map(item =>
      dialect === 'list' ? fromListItem(item) : this.fromObjectItem(item),
    )
    const wrong = this.problems.slice(before).some(problem => problem.kind === 'wrong-type')
    if (wrong) return unparsable
    this.checkServers(servers, dialect)
    return {dialect, servers}
  }

  /** The dialect of the items, or undefined with a problem noted; a `null` fits both. */
  private dialectOf(items: readonly JsonNode[]): 'list' | 'objects' | undefined {
    const first = items.find(item => item.kind === 'string' || item.kind === 'object')
    const dialect = first?.kind === 'object' ? 'objects' : 'list'
    const wanted = dialect === 'list' ? 'string' : 'object'
    for (const item of items) {
      if (item.kind === wanted || item.kind === 'null') continue
      const mixed = item.kind === 'string' || item.kind === 'object'
      const text = mixed
        ? `${nameOf(item)} in a list of ${wanted}s; a file holds either strings or objects`
        : `${nameOf(item)} where a server was expected`
      this.note(mixed ? 'mixed-dialects' : 'wrong-type', item.offset, text)
      return undefined
    }
    return dialect
  }

  private fromObjectItem(item: JsonNode): Located {
    let id = {value: '', offset: item.offset}
    let address = {value: '', offset: item.offset}
    let nonVoter = false
    for (const member of item.kind === 'object' ? item.members : []) {
      const known = KNOWN_KEYS.find(key => sameKey(key, member.key))
      if (known === undefined) {
        this.note('unknown-key', member.keyOffset, `the server ignores "${printable(member.key, 60)}"`)
        continue
      }
      const value = member.value
      if (value.kind === 'null') continue
      if (known === 'non_voter') {
        if (value.kind === 'bool') nonVoter = value.value
        else this.noteMember(member, 'true or false')
      } else if (value.kind !== 'string') this.noteMember(member, 'a string')
      else if (known === 'id') id = {value: value.value, offset: value.offset}
      else address = {value: value.value, offset: value.offset}
    }
    return {
      id: id.value,
      address: address.value,
      nonVoter,
      idOffset: id.offset,
      addressOffset: address.offset,
    }
  }

  private noteMember(member: JsonMember, wanted: string): void {
    const key = printable(member.key, 60)
    this.note(
      'wrong-type',
      member.value.offset,
      `"${key}" is ${nameOf(member.value)}; ${wanted} was expected`,
    )
  }

  private checkTrailing(end: number): void {
    const rest = /\S/.exec(this.text.slice(end))
    if (rest !== null)
      this.note('trailing-text', end + rest.index, 'the server ignores everything after the first value')
  }

  private checkServers(servers: readonly Located[], dialect: 'list' | 'objects'): void {
    const ids = new Set<string>()
    const addresses = new Set<string>()
    for (const server of servers) {
      if (dialect === 'objects') {
        if (server.id === '') this.note('empty-id', server.idOffset, 'a server without an id')
        else if (ids.has(server.id))
          this.note('duplicate-id', server.idOffset, `${printable(server.id, 80)} is there twice`)
      }
      if (server.address === '')
        this.note('empty-address', server.addressOffset, 'a server without an address')
      else if (addresses.has(server.address))
        this.note(
          'duplicate-address',
          server.addressOffset,
          `${printable(server.address, 80)} is there twice`,
        )
      else this.checkAddress(server)
      ids.add(server.id)
      addresses.add(server.address)
    }
    if (servers.every(server => server.nonVoter))
      this.note('no-voter', servers[0]?.idOffset ?? 0, 'names no voter')
  }

  private checkAddress(server: Located): void {
    const shown = printable(server.address, 80)
    if (server.address.includes('://'))
      return this.note('scheme', server.addressOffset, `${shown} has a scheme; host:port was expected`)
    const parts = parseHostPort(server.address)
    if (parts === undefined) return this.note('no-port', server.addressOffset, `${shown} is not host:port`)
    if (!isIpAddress(parts.host))
      this.note(
        'host-name',
        server.addressOffset,
        `${shown} names a host; servers know each other by IP address`,
      )
  }

  private note(kind: Kind, offset: number, text: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push({kind, ...placeOf(this.text, offset), text})
  }
}

function fromListItem(item: JsonNode): Located {
  const address = item.kind === 'string' ? item.value : ''
  return {id: address, address, nonVoter: false, idOffset: item.offset, addressOffset: item.offset}
}

function nameOf(node: JsonNode): string {
  const names = {
    null: 'null',
    bool: 'true or false',
    number: 'a number',
    string: 'a string',
    array: 'a list',
    object: 'an object',
  } as const
  return names[node.kind]
}

/**
 * The text of a peers.json. It is the same for the same servers in any order, because every server must get the same
 * bytes. `list` has no way to say nonvoter: a configuration with one cannot be written in it.
 */
export function writePeersJson(configuration: Configuration, dialect: 'list' | 'objects'): string {
  const servers = [...configuration.servers].sort(
    (a, b) => compareText(a.address, b.address) || compareText(a.id, b.id),
  )
  if (dialect === 'list') {
    assert(
      servers.every(server => server.suffrage === 'voter'),
      'a list of addresses cannot hold a nonvoter',
    )
    return `${JSON.stringify(servers.map(server => server.address))}\n`
  }
  const lines = servers.map(server => {
    const id = JSON.stringify(server.id)
    const address = JSON.stringify(server.address)
    return `  {"id": ${id}, "address": ${address}, "non_voter": ${server.suffrage === 'nonvoter'}}`
  })
  return lines.length === 0 ? '[]\n' : `[\n${lines.join(',\n')}\n]\n`
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
