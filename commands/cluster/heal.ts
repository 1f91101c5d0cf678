import {MembersCommand, openCluster} from '../../src/cluster-command.js'
import {clusterFlags} from '../../src/cluster-flags.js'
import type {ClusterJson} from '../../src/ui/views/cluster.js'

/** Ends a partition. */
export default class ClusterHeal extends MembersCommand {
  static override summary = 'End the partition of a local cluster.'
  static override description = 'All members hear and speak to each other again, within a tenth of a second.'
  static override examples = ['<%= config.bin %> <%= command.id %>']
  static override flags = clusterFlags

  /** Heals, and shows the cluster. */
  async run(): Promise<ClusterJson> {
    const {flags} = await this.parse(ClusterHeal)
    const cluster = await openCluster(flags.name)
    await cluster.heal()
    return this.showCluster(cluster, '', this.terminal(flags))
  }
}
