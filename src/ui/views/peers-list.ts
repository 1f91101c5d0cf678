import type {ClusterFacts} from '../../core/diagnose/facts.js'
import {findServer, peerName} from '../../core/diagnose/facts.js'
import {groupBeliefs} from '../../core/diagnose/peer-set.js'
import type {ServerFacts} from '../../core/diagnose/server-facts.js'
import type {Server} from '../../core/model/configuration.js'
import {printable} from '../../core/text.js'
import {renderTable} from './table.js'
import {wrap} from './text.js'
import type {Theme} from './theme.js'
import {mark} from './theme.js'

const samePeer = (a: Server, b: Server): boolean => a.id === b.id || a.address === b.address
const short = (text: string): string => printable(text, 40)

/** Every peer that any server believes in, once, those of the best-known set first. */
function allPeers(facts: ClusterFacts): readonly Server[] {
  const all = [
    ...(facts.peerSet?.configuration.servers ?? []),
    ...facts.servers.flatMap(server => server.believed?.servers ?? []),
  ]
  return all.filter((peer, at) => all.findIndex(other => samePeer(peer, other)) === at)
}

/** How a server believes in a peer: what it is to it, or that it is none; `?` where its set was not read. */
function beliefCell(server: ServerFacts, peer: Server, theme: Theme): string {
  if (server.believed === undefined) return '?'
  const entry = server.believed.servers.find(one => samePeer(one, peer))
  if (entry === undefined) return mark(theme, 'leaves')
  if (entry.address !== peer.address) return short(entry.address)
  if (entry.id !== peer.id) return `id ${short(entry.id)}`
  return entry.suffrage
}

/** Why a host told nothing at all; undefined where it was reached. */
function unreadWords(server: ServerFacts): string | undefined {
  const {reached} = server.server
  if (reached.kind === 'read') return undefined
  return `no answer (${reached.why})${reached.detail === undefined ? '' : `: ${printable(reached.detail, 200)}`}`
}

function sourceLines(facts: ClusterFacts, width: number): string[] {
  return facts.servers.flatMap(server => {
    const state =
      server.running === 'yes' ? 'running' : server.running === 'no' ? 'stopped' : 'not known to run'
    const from = server.believedFrom
    const index = server.believed?.index === undefined ? '' : `, set at index ${server.believed.index}`
    const text =
      from === undefined
        ? `${short(server.host)}: ${unreadWords(server) ?? `unread (${state})`}`
        : `${short(server.host)}: ${printable(from.what, 80)} (${state}${index}${server.believed?.servers.length === 0 ? ', empty' : ''})`
    return wrap(text, width, 2)
  })
}

function agreementWords(facts: ClusterFacts): string {
  const groups = groupBeliefs(facts.servers)
  const empty = facts.servers.filter(server => server.believed?.servers.length === 0)
  const believers = groups.flatMap(group => group.believers).length
  const none =
    empty.length === 0 ? '' : ` ${empty.map(server => short(server.host)).join(', ')}: no peers at all.`
  if (groups.length > 1) return `The servers believe in ${groups.length} different peer sets.${none}`
  return believers === 1
    ? `One server has a peer set that could be read.${none}`
    : `All ${believers} servers whose peer set was read agree.${none}`
}

/** The screen of `quorate peers list`: one row per peer, one column per server that believes something. */
export function renderPeersList(
  facts: ClusterFacts,
  layout: {readonly theme: Theme; readonly width: number},
): string {
  const {theme, width} = layout
  const peers = allPeers(facts)
  const columns = [
    {header: ''},
    {header: 'peer'},
    {header: 'address'},
    {header: 'id', leaves: 100},
    ...facts.servers.map((server, at) => ({header: short(server.host), exact: true, leaves: at + 1})),
  ]
  const rows = peers.map(peer => {
    const cells = facts.servers.map(server => beliefCell(server, peer, theme))
    const known = cells.filter(cell => cell !== '?')
    const agreed = known.every(cell => cell === known[0])
    const host = findServer(facts.servers, peer)?.server.host
    return [
      mark(theme, known.length === 0 ? 'unknown' : agreed ? 'ok' : 'bad'),
      short(host ?? peerName(facts, peer)),
      short(peer.address),
      String(peer.id) === String(peer.address) ? '-' : short(peer.id),
      ...cells,
    ]
  })
  const heading = peers.length === 0 ? 'No server has a peer set that could be read.' : agreementWords(facts)
  const lines = [
    ...wrap(heading, width),
    ...(peers.length === 0
      ? []
      : ['', ...renderTable(columns, rows, {width, cutMark: theme.marks.cut, paintHeader: theme.dim})]),
    '',
    theme.bold('WHERE EACH BELIEF COMES FROM'),
    ...sourceLines(facts, width),
  ]
  return lines.map(line => line.trimEnd()).join('\n')
}

/** The result of `quorate peers list --json`. */
export function peersListJson(facts: ClusterFacts) {
  return {
    agreed:
      groupBeliefs(facts.servers).length <= 1 &&
      !facts.servers.some(server => server.believed?.servers.length === 0),
    best:
      facts.peerSet === undefined
        ? null
        : {
            basis: facts.peerSet.basis,
            index: facts.peerSet.configuration.index ?? null,
            servers: facts.peerSet.configuration.servers,
          },
    servers: facts.servers.map(server => ({
      host: server.host,
      running: server.running,
      believed:
        server.believed === undefined
          ? null
          : {index: server.believed.index ?? null, servers: server.believed.servers},
      source: server.believedFrom ?? null,
    })),
  }
}
