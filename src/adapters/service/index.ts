import type {ServiceManagerName} from '../../core/model/observation.js'
import type {ServiceManager} from '../../ports/service-manager.js'
import {custom} from './custom.js'
import {runit} from './runit.js'
import {supervisor} from './supervisor.js'
import {systemd} from './systemd.js'
import {sysv} from './sysv.js'
import {upstart} from './upstart.js'

/** The manager of local clusters is not one of a host: it lives with the clusters. */
type HostManagerName = Exclude<ServiceManagerName, 'cluster'>

const MANAGERS: Readonly<Record<HostManagerName, ServiceManager>> = {
  systemd,
  runit,
  supervisor,
  sysv,
  upstart,
  custom,
}

/** The service manager of a name. */
export function serviceManagerFor(name: HostManagerName): ServiceManager {
  return MANAGERS[name]
}
