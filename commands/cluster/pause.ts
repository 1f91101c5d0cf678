import {MembersCommand} from '../../src/cluster-command.js'
import {clusterFlags, memberFlags} from '../../src/cluster-flags.js'
import type {ClusterJson} from '../../src/ui/views/cluster.js'

/** Pauses members. */
export default class ClusterPause extends MembersCommand {
  static override summary = 'Pause members of a local cluster: SIGSTOP.'
  static override description =
    'A paused server holds its sockets, its store and its vote, and answers nobody: as a machine whose disk hangs.'
  static override examples = ['<%= config.bin %> <%= command.id %> server1']
  static override strict = false
  static override flags = {...clusterFlags, ...memberFlags}

  /** Does it, and shows the cluster. */
  async run(): Promise<ClusterJson> {
    const {argv, flags} = await this.parse(ClusterPause)
    return this.act({argv: argv as string[], flags}, async (cluster, members) => {
      const stopped = cluster.signal(members, 'SIGSTOP')
      return stopped.map(name => `${name} does not run.`).join('\n')
    })
  }
}
