import {apiFlags} from '../src/api-flags.js'
import {BaseCommand} from '../src/base-command.js'
import type {AgentInfo} from '../src/client/membership.js'

/** Shows what an agent tells of its own state. */
export default class Info extends BaseCommand<AgentInfo> {
  static override summary = 'Show what an agent tells of itself: Raft, gossip, build.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --json | jq .result.raft.state',
  ]
  static override flags = apiFlags

  /** Asks one agent. */
  async run(): Promise<AgentInfo> {
    const {flags} = await this.parse(Info)
    const [{openAgentApi}, {agentInfo}, {renderInfo}] = await Promise.all([
      import('../src/open-api.js'),
      import('../src/client/membership.js'),
      import('../src/ui/views/members.js'),
    ])
    const result = await agentInfo(await openAgentApi(flags))
    return this.show({result, exit: 'ok', screen: theme => renderInfo(result, theme)}, this.terminal(flags))
  }
}
