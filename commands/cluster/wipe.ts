import {MembersCommand} from '../../src/cluster-command.js'
import {clusterFlags, memberFlags} from '../../src/cluster-flags.js'
import type {ClusterJson} from '../../src/ui/views/cluster.js'

/** Removes the data of stopped members. */
export default class ClusterWipe extends MembersCommand {
  static override summary = 'Make stopped members of a local cluster blank.'
  static override description =
    'Removes what they have on disk. A member that was killed for good gets a new machine of its name.'
  static override examples = ['<%= config.bin %> <%= command.id %> server3']
  static override strict = false
  static override flags = {...clusterFlags, ...memberFlags}

  /** Does it, and shows the cluster. */
  async run(): Promise<ClusterJson> {
    const {argv, flags} = await this.parse(ClusterWipe)
    return this.act({argv: argv as string[], flags}, async (cluster, members) => {
      await cluster.wipe(members)
      return ''
    })
  }
}
