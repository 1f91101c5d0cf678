import {Flags} from '@oclif/core'
import {MembersCommand, openCluster} from '../../src/cluster-command.js'
import {clusterFlags} from '../../src/cluster-flags.js'
import type {ClusterJson} from '../../src/ui/views/cluster.js'

/** Adds a member. */
export default class ClusterAdd extends MembersCommand {
  static override summary = 'Add a member to a local cluster and start it.'
  static override description = 'A blank server that joins the others; it never founds a cluster of its own.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --client',
  ]
  static override flags = {
    ...clusterFlags,
    client: Flags.boolean({summary: 'A client instead of a server.', exclusive: ['nonvoter']}),
    nonvoter: Flags.boolean({summary: 'A server that never votes.'}),
  }

  /** Adds, and shows the cluster. */
  async run(): Promise<ClusterJson> {
    const {flags} = await this.parse(ClusterAdd)
    const cluster = await openCluster(flags.name)
    const member = await cluster.add(flags.client ? 'client' : flags.nonvoter ? 'nonvoter' : 'server')
    return this.showCluster(cluster, `${member.name} is started at ${member.address}.`, this.terminal(flags))
  }
}
