import type {ServiceManagerName} from '../../core/model/observation.js'
import type {ServiceManager} from '../../ports/service-manager.js'
import {custom} from './custom.js'
import {runit} from './runit.js'
import {supervisor} from './supervisor.js'
import {systemd} from './systemd.js'
import {sysv} from './sysv.js'
import {upstart} from './upstart.js'

const MANAGERS: Readonly<Record<ServiceManagerName, ServiceManager>> = {
  systemd,
  runit,
  supervisor,
  sysv,
  upstart,
  custom,
}

/** The service manager of a name. */
export function serviceManagerFor(name: ServiceManagerName): ServiceManager {
  return MANAGERS[name]
}
