import {MembersCommand, openCluster} from '../../src/cluster-command.js'
import {clusterFlags} from '../../src/cluster-flags.js'
import type {ClusterJson} from '../../src/ui/views/cluster.js'

/** Shows a cluster's members. */
export default class ClusterStatus extends MembersCommand {
  static override summary = 'Show the members of a local cluster.'
  static override description =
    'What their processes do and what they say of themselves; `quorate doctor --cluster NAME` says what it means.'
  static override examples = ['<%= config.bin %> <%= command.id %>']
  static override flags = clusterFlags

  /** Asks every member, and shows the cluster. */
  async run(): Promise<ClusterJson> {
    const {flags} = await this.parse(ClusterStatus)
    return this.showCluster(await openCluster(flags.name), '', this.terminal(flags))
  }
}
