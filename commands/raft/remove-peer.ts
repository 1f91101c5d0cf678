import {Flags} from '@oclif/core'
import {apiFlags, datacenterFlag} from '../../src/api-flags.js'
import {BaseCommand} from '../../src/base-command.js'
import {QuorateError} from '../../src/errors.js'

interface Removed {
  readonly removed: string
}

/** Has the leader remove a server. */
export default class RaftRemovePeer extends BaseCommand<Removed> {
  static override summary = 'Have the leader remove a server from the peer set, unasked and at once.'
  static override description =
    'Looks at nothing first. `quorate peers fix --remove` does the same and first makes sure that a quorum stays.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --address 10.0.0.3:8300',
    '<%= config.bin %> <%= command.id %> --id 32cdcc24-c33f-8e13-257e-a9aa4b7316fc',
  ]
  static override flags = {
    ...apiFlags,
    ...datacenterFlag,
    id: Flags.string({helpValue: 'ID', exclusive: ['address'], summary: 'The server by its id.'}),
    address: Flags.string({helpValue: 'HOST:PORT', summary: 'The server by its Raft address.'}),
  }

  /** Asks one agent, which asks the leader. */
  async run(): Promise<Removed> {
    const {flags} = await this.parse(RaftRemovePeer)
    const {id, address} = flags
    const peer = id !== undefined ? {id} : address !== undefined ? {address} : undefined
    if (peer === undefined) throw new QuorateError('USAGE', 'Say which server: --id or --address.')
    const [{openAgentApi}, {removePeer}, {renderDone}] = await Promise.all([
      import('../../src/open-api.js'),
      import('../../src/client/raft-peers.js'),
      import('../../src/ui/views/done.js'),
    ])
    await removePeer(await openAgentApi(flags), peer, flags.datacenter)
    const removed = id ?? address ?? ''
    const screen = (): string => renderDone(`Removed from the peer set: ${removed}.`)
    return this.show({result: {removed}, exit: 'ok', screen}, this.terminal(flags))
  }
}
