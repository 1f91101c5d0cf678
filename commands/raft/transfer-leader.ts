import {Flags} from '@oclif/core'
import {apiFlags, datacenterFlag} from '../../src/api-flags.js'
import {BaseCommand} from '../../src/base-command.js'

interface Transferred {
  readonly to: string | null
}

/** Has the leader hand over. */
export default class RaftTransferLeader extends BaseCommand<Transferred> {
  static override summary = 'Have the leader hand over to another voter.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --id 32cdcc24-c33f-8e13-257e-a9aa4b7316fc',
  ]
  static override flags = {
    ...apiFlags,
    ...datacenterFlag,
    id: Flags.string({helpValue: 'ID', summary: 'Voter that is to lead; without it the leader chooses.'}),
  }

  /** Asks one agent, which asks the leader. */
  async run(): Promise<Transferred> {
    const {flags} = await this.parse(RaftTransferLeader)
    const [{openAgentApi}, {transferLeadership}, {renderDone}] = await Promise.all([
      import('../../src/open-api.js'),
      import('../../src/client/raft-peers.js'),
      import('../../src/ui/views/done.js'),
    ])
    await transferLeadership(await openAgentApi(flags), flags.id, flags.datacenter)
    const screen = (): string =>
      renderDone(`Leadership was handed over${flags.id === undefined ? '' : ` to ${flags.id}`}.`)
    return this.show({result: {to: flags.id ?? null}, exit: 'ok', screen}, this.terminal(flags))
  }
}
