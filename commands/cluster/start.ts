import {MembersCommand} from '../../src/cluster-command.js'
import {clusterFlags, memberFlags} from '../../src/cluster-flags.js'
import type {ClusterJson} from '../../src/ui/views/cluster.js'

/** Starts members that do not run. */
export default class ClusterStart extends MembersCommand {
  static override summary = 'Start members of a local cluster.'
  static override description =
    'On the data that they have. Not one that a plan holds: `quorate resume` ends that.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> server2',
    '<%= config.bin %> <%= command.id %> --all',
  ]
  static override strict = false
  static override flags = {...clusterFlags, ...memberFlags}

  /** Does it, and shows the cluster. */
  async run(): Promise<ClusterJson> {
    const {argv, flags} = await this.parse(ClusterStart)
    return this.act({argv: argv as string[], flags}, async (cluster, members) => {
      await cluster.start(members)
      return ''
    })
  }
}
