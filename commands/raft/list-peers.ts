import {apiFlags, datacenterFlag, staleFlag} from '../../src/api-flags.js'
import {BaseCommand} from '../../src/base-command.js'
import type {RaftPeers} from '../../src/client/raft-peers.js'

/** Shows the Raft configuration. */
export default class RaftListPeers extends BaseCommand<RaftPeers> {
  static override summary = 'Show the peer set as the leader has it, or with --stale as one server has it.'
  static override description =
    'For the view of every server side by side, live or stopped: `quorate peers list`.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --stale --http-addr 10.0.0.3:8500',
  ]
  static override flags = {...apiFlags, ...datacenterFlag, ...staleFlag}

  /** Asks one agent. */
  async run(): Promise<RaftPeers> {
    const {flags} = await this.parse(RaftListPeers)
    const terminal = this.terminal(flags)
    const [{openAgentApi}, {raftPeers}, {renderRaftPeers}] = await Promise.all([
      import('../../src/open-api.js'),
      import('../../src/client/raft-peers.js'),
      import('../../src/ui/views/raft-peers.js'),
    ])
    const {stale, datacenter} = flags
    const result = await raftPeers(await openAgentApi(flags), {stale, datacenter})
    const screen = (theme: Parameters<typeof renderRaftPeers>[1]['theme']): string =>
      renderRaftPeers(result, {theme, width: terminal.width})
    return this.show({result, exit: 'ok', screen}, terminal)
  }
}
