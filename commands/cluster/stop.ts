import {Flags} from '@oclif/core'
import {MembersCommand} from '../../src/cluster-command.js'
import {clusterFlags, memberFlags} from '../../src/cluster-flags.js'
import type {ClusterJson} from '../../src/ui/views/cluster.js'

/** Stops members by a signal of choice. */
export default class ClusterStop extends MembersCommand {
  static override summary = 'Stop members of a local cluster by a signal.'
  static override description =
    'TERM and INT do what the agent was told to do with them, which may be to leave; how long it may take is --within. Nothing is killed afterwards.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> server2',
    '<%= config.bin %> <%= command.id %> --all --signal INT',
  ]
  static override strict = false
  static override flags = {
    ...clusterFlags,
    ...memberFlags,
    signal: Flags.string({
      char: 's',
      options: ['TERM', 'INT', 'HUP', 'QUIT', 'KILL'] as const,
      default: 'TERM',
      summary: 'Signal to send.',
    }),
    within: Flags.integer({
      default: 15,
      min: 0,
      max: 600,
      helpValue: 'SECONDS',
      summary: 'How long to wait for the end.',
    }),
  }

  /** Does it, and shows the cluster. */
  async run(): Promise<ClusterJson> {
    const {argv, flags} = await this.parse(ClusterStop)
    return this.act({argv: argv as string[], flags}, async (cluster, members) => {
      const signal = `SIG${flags.signal}` as NodeJS.Signals
      const left = await cluster.stop(members, signal, flags.within * 1000)
      return left.map(member => `${member.name} still runs after ${signal}.`).join('\n')
    })
  }
}
