import {MembersCommand} from '../../src/cluster-command.js'
import {clusterFlags, memberFlags} from '../../src/cluster-flags.js'
import type {ClusterJson} from '../../src/ui/views/cluster.js'

/** Lets paused members go on. */
export default class ClusterResume extends MembersCommand {
  static override summary = 'Let paused members of a local cluster go on: SIGCONT.'
  static override description =
    'They find out what happened in the meantime as after a long stop of the world.'
  static override examples = ['<%= config.bin %> <%= command.id %> server1']
  static override strict = false
  static override flags = {...clusterFlags, ...memberFlags}

  /** Does it, and shows the cluster. */
  async run(): Promise<ClusterJson> {
    const {argv, flags} = await this.parse(ClusterResume)
    return this.act({argv: argv as string[], flags}, async (cluster, members) => {
      const stopped = cluster.signal(members, 'SIGCONT')
      return stopped.map(name => `${name} does not run.`).join('\n')
    })
  }
}
