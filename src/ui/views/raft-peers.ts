import type {RaftPeers} from '../../client/raft-peers.js'
import {printable} from '../../core/text.js'
import {renderTable} from './table.js'
import type {Theme} from './theme.js'

/** The Raft configuration as a table, the columns of `consul operator raft list-peers`. */
export function renderRaftPeers({servers}: RaftPeers, {theme, width}: {theme: Theme; width: number}): string {
  const cell = (text: string): string => printable(text, 200) || '-'
  const rows = servers.map(server => [
    cell(server.node),
    cell(server.id),
    cell(server.address),
    server.leader ? theme.ok('leader') : 'follower',
    String(server.voter),
    cell(server.protocolVersion),
  ])
  const columns = [
    {header: 'node'},
    {header: 'id'},
    {header: 'address'},
    {header: 'state'},
    {header: 'voter'},
    {header: 'raft protocol', leaves: 1},
  ]
  return renderTable(columns, rows, {width: Math.max(width, 100), paintHeader: theme.dim}).join('\n')
}
