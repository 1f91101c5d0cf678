import {Flags} from '@oclif/core'
import {MembersCommand, openCluster} from '../../src/cluster-command.js'
import {clusterFlags} from '../../src/cluster-flags.js'
import {QuorateError} from '../../src/errors.js'
import type {ClusterJson} from '../../src/ui/views/cluster.js'

/** Cuts a cluster into parts. */
export default class ClusterPartition extends MembersCommand {
  static override summary = 'Cut a local cluster into parts that refuse each other.'
  static override description =
    "Each argument is a part, its members joined by commas; the rest of the cluster is a part of its own where only one is named. The processes drop each other's packets and connections. A new partition takes the place of the one before."
  static override examples = [
    '<%= config.bin %> <%= command.id %> server1,server2',
    '<%= config.bin %> <%= command.id %> server1,server2 server3,server4,server5',
    '<%= config.bin %> <%= command.id %> server1 --one-way',
  ]
  static override strict = false
  static override flags = {
    ...clusterFlags,
    'one-way': Flags.boolean({
      summary: 'The first part does not hear the others; the others still hear it.',
    }),
  }

  /** Cuts, and shows the cluster. */
  async run(): Promise<ClusterJson> {
    const {argv, flags} = await this.parse(ClusterPartition)
    const cluster = await openCluster(flags.name)
    const groups = (argv as string[]).map(word => cluster.members(word.split(',').filter(one => one !== '')))
    const all = groups.flat()
    const twice = all.find((member, at) => all.indexOf(member) !== at)
    if (twice !== undefined) throw new QuorateError('USAGE', `${twice.name} stands in two parts.`)
    const rest = cluster.state.members.filter(member => !all.includes(member))
    const parts = groups.length === 1 ? [...groups, rest] : groups
    if (parts.length < 2 || parts.some(part => part.length === 0))
      throw new QuorateError('USAGE', 'A partition has two parts at least, each with members.', {
        hints: ['quorate cluster partition server1,server2'],
      })
    await cluster.partition(parts, Boolean(flags['one-way']))
    return this.showCluster(cluster, '', this.terminal(flags))
  }
}
