/** Which screen is shown: the one a key asked for, else what the run itself is at. */
import { checklistScreen } from './checklist.ts';
import { confirmScreen } from './confirm.ts';
import { dashboard } from './dashboard.ts';
import { decisionScreen } from './decision.ts';
import { doctorScreen } from './doctor.ts';
import { endScreen } from './end.ts';
import { failureScreen } from './failure.ts';
import { helpScreen } from './help.ts';
import { logsScreen } from './logs.ts';
import { planScreen } from './plan.ts';
import { poolsScreen } from './pools.ts';
import { preflightScreen } from './preflight.ts';
import { reconcileScreen } from './reconcile.ts';
import { recordScreen } from './record.ts';
import { rollbackAskScreen, rollbackProgressScreen, rollbackScreen } from './rollback.ts';
import { type Body, isWelcome, type Screen, type View, type ViewId } from './screen.ts';
import { serviceScreen } from './service.ts';
import { welcomeScreen } from './welcome.ts';

const VIEWS: Readonly<Record<Exclude<ViewId, 'home'>, Screen>> = {
  services: serviceScreen,
  pools: poolsScreen,
  plan: planScreen,
  preflight: preflightScreen,
  checklist: checklistScreen,
  logs: logsScreen,
  doctor: doctorScreen,
  record: recordScreen,
  rollback: rollbackScreen,
  help: helpScreen,
};

function homeScreen(view: View): Body {
  const { snapshot } = view;
  if (isWelcome(view.ui, snapshot)) return welcomeScreen(view);
  switch (snapshot.ask?.kind) {
    case 'confirm':
      return confirmScreen(view, snapshot.ask);
    case 'decide':
      return decisionScreen(view, snapshot.ask);
    case 'failure':
      return failureScreen(view, snapshot.ask);
    case 'rollback':
      return rollbackAskScreen(view, snapshot.ask);
    case 'reconcile':
      return reconcileScreen(view, snapshot.ask);
    case undefined:
      break;
  }
  if (snapshot.status === 'ended') return endScreen(view);
  if (snapshot.status === 'rolling-back') return rollbackProgressScreen(view);
  if (snapshot.currentStep === 'preflight') return preflightScreen(view);
  return dashboard(view);
}

export function bodyOf(view: View): Body {
  return view.ui.view === 'home' ? homeScreen(view) : VIEWS[view.ui.view](view);
}
