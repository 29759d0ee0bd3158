/*
 * The rules by which jobs are given to workers and come back: claim, acknowledgement, lost and late messages, fence, requeue,
 * loss, return. README.md says what is modelled, what is left out, and which lines of the program mean the same.
 *
 * Two workers and two jobs. Whatever could repeat for ever has a budget, so every execution ends, and what must happen at last
 * is checked where nothing more can happen: process End. An attempt is a bit of a byte, a set of attempts is a mask.
 */

#ifndef NUM_ATTEMPTS
#define NUM_ATTEMPTS 5
#endif
#define BIT(a) (1 << (a))
#define ABOVE(n) (127 & (127 << (n))) /* the attempts that come after the first n */
#define COUNT(m) (((m) & 1) + ((m) >> 1 & 1) + ((m) >> 2 & 1) + ((m) >> 3 & 1) + ((m) >> 4 & 1) + ((m) >> 5 & 1) + ((m) >> 6 & 1))

/* ---------------------------------------------------------------- a configuration: choices and budgets */

#ifndef CAPACITY
#define CAPACITY 1 /* jobs that a worker runs at a time */
#endif
#ifndef MAX_LOSSES
#define MAX_LOSSES 1
#endif
#ifndef LOST_MESSAGES
#define LOST_MESSAGES 1 /* requests and replies that never arrive */
#endif
#ifndef LATE_MESSAGES
#define LATE_MESSAGES 0 /* those that arrive when the worker no longer waits for a reply */
#endif
#ifndef EMPTY_REPLIES
#define EMPTY_REPLIES 0 /* ends of long polls */
#endif
#ifndef RETURNS
#define RETURNS 0 /* jobs that waited for too long in their worker */
#endif
#ifndef FULL_DISKS
#define FULL_DISKS 0 /* transactions that are rolled back */
#endif
#ifndef CANCELS
#define CANCELS 0 /* a person cancels the workflow */
#endif
#ifndef RESTARTS
#define RESTARTS 0 /* a person restarts what cannot go on otherwise */
#endif
/* The one accident, at any time: SERVER_DIES (and comes back); NODE_DIES with worker and processes; WORKER_DIES and its
 * processes run on; NODE_CUT off from server and Slurm; WORKER_LEAVES because its time is over; WORKER_FORGETS a job.
 * CHAIN: job 1 waits for job 0. REQUEUED: worker 1 is the next start of worker 0's allocation. */

/* ---------------------------------------------------------------- the database */

mtype = { blocked, ready, pending, submitted, done, canceled, terminated };
mtype status[2];

byte numAttempts;              /* rule 1: keys are never used again */
byte ofJob[2], ofWorker[2];
byte live, occupying;          /* rule 2: two facts */
byte stopAsked, handedBack;
byte orphans;                  /* live, without a process, and not decided on */
byte losses[2];
byte numBlockers;              /* of job 1 */
bit hasCounted[2];             /* a result has decided about this job */
bit isOpen[2];                 /* rule 3: closed is final */
bit isFenced, isCanceled;      /* isFenced: the stop file of worker 0 is written */

/* ---------------------------------------------------------------- the network: two exchanges for each worker */

mtype = { idle, request, parked, reply };

typedef Exchange {
  mtype phase;
  bit isAwaited;               /* the worker waits for the reply */
  bit isNew;                   /* its seq is above the highest that this server remembers */
  bit isLeaving, isDraining;
  byte ack, held;
  byte starts, ends, returns;  /* reports; in a reply those that it answers */
  byte jobs, stops;
  bit leave
};
Exchange x[4];                 /* 0 and 1 of worker 0, 2 and 3 of worker 1 */
byte latest[2] = { 0, 2 };     /* that with the highest seq */
bit isCut;                     /* nothing reaches the node of worker 0, and nothing leaves it */

/* ---------------------------------------------------------------- workers: what dies with them */

bit isAlive[2], isEnding[2], isPaced[2];
byte ack[2];                   /* how many attempts there were at the newest that it received */
byte held, told, unseenStops;
byte starts, ends, returns;    /* reports that are not answered */

/* ---------------------------------------------------------------- nodes: processes and files */

byte process, dying, everRan;
byte wasStopped;               /* ended because of a signal */
byte spooledEnds, spooledReturns;
byte forgotten;

byte lostLeft = LOST_MESSAGES, lateLeft = LATE_MESSAGES, emptyLeft = EMPTY_REPLIES, returnsLeft = RETURNS;
byte fullLeft = FULL_DISKS, cancelsLeft = CANCELS, restartsLeft = RESTARTS;
bit hasStruck;                 /* the accident has happened */

hidden byte k, j;              /* in loops */

#define JOB(a) (ofJob[1] >> (a) & 1)
#define WORKER(a) (ofWorker[1] >> (a) & 1)
#define HAS(set, a) ((set) >> (a) & 1)
#define WITHOUT(set, a) ((set) & ~BIT(a))
#define IS_CLAIMED(job) (status[job] == pending || status[job] == submitted)
#define HAS_ENDED(job) (status[job] == done || status[job] == canceled)
#define HELD_BY(w) (held & ofWorker[w])
#define REPORTS_OF(w) ((starts | ends | returns) & ofWorker[w])

/* ---------------------------------------------------------------- what holds after every step */

inline check() {
  /* rule 1: a job has one live attempt while it is claimed, and else none */
  assert(COUNT(live & ofJob[0]) == (IS_CLAIMED(0) -> 1 : 0));
  assert(COUNT(live & ofJob[1]) == (IS_CLAIMED(1) -> 1 : 0));
  /* rule 2: where a process may be, its attempt occupies the worker, and no worker is overbooked */
  assert((process & ~occupying) == 0);
  assert(COUNT(occupying & ofWorker[0]) <= CAPACITY);
  assert(COUNT(occupying & ofWorker[1]) <= CAPACITY);
  /* a job has one process */
  assert(COUNT(process & ofJob[0]) <= 1);
  assert(COUNT(process & ofJob[1]) <= 1);
  assert((orphans & ~live) == 0 && (orphans & occupying) == 0);
  /* what waits is counted right */
#ifdef CHAIN
  assert(numBlockers == (HAS_ENDED(0) -> 0 : 1));
  assert((status[1] == blocked) == (numBlockers == 1 && !isCanceled));
#endif
}

/* ---------------------------------------------------------------- parts of transactions */

#ifdef BUG_UNBLOCK_LATER
bit unblockLater;
#endif

inline unblock() {
  numBlockers = 0;
  if
  :: (status[1] == blocked) -> status[1] = ready
  :: else
  fi
}

/* An end counts once; what waits for the job goes on in the same transaction. */
inline endJob(job, how) {
  status[job] = how;
  if
  :: (job == 0 && numBlockers == 1) ->
#ifdef BUG_UNBLOCK_LATER
    unblockLater = 1
#else
    unblock()
#endif
  :: else
  fi
}

/* DESIGN 14: a live attempt whose process is known to be gone: its job is ready again, up to max_losses. Beyond that it stays
 * claimed (rule 2: being orphaned does not end `live`). Rule 16: what a person canceled stays canceled. */
inline lose(a) {
  orphans = WITHOUT(orphans, a);
  if
  :: HAS(stopAsked, a) ->
    live = WITHOUT(live, a);
    endJob(JOB(a), canceled)
  :: (!HAS(stopAsked, a) && losses[JOB(a)] < MAX_LOSSES) ->
#ifndef BUG_LOST_FORGOTTEN
    live = WITHOUT(live, a);
    losses[JOB(a)]++;
    status[JOB(a)] = ready
#else
    skip
#endif
  :: else
  fi
}

/* Rule 1: the fence. Rule 2: a late report also frees what the attempt occupied. */
inline recordEnd(a) {
  occupying = WITHOUT(occupying, a);
  orphans = WITHOUT(orphans, a);
#ifdef BUG_NO_FENCE
  if
  :: (!HAS(live, a) && !HAS(wasStopped, a)) ->
    assert(!hasCounted[JOB(a)]);
    hasCounted[JOB(a)] = 1;
    endJob(JOB(a), done)
  :: else
  fi;
#endif
  if
  :: (HAS(live, a) && !HAS(wasStopped, a)) ->
    assert(!hasCounted[JOB(a)]);
    hasCounted[JOB(a)] = 1;
    live = WITHOUT(live, a);
    endJob(JOB(a), done)
  :: (HAS(live, a) && HAS(wasStopped, a)) ->
    lose(a);
    if
    :: HAS(live, a) -> live = WITHOUT(live, a); status[JOB(a)] = terminated
    :: else
    fi
  :: else
  fi
}

inline recordReturn(a) {
  occupying = WITHOUT(occupying, a);
  orphans = WITHOUT(orphans, a);
  if
  :: HAS(live, a) ->
    assert(status[JOB(a)] == pending && !HAS(everRan, a));
    handedBack = handedBack | BIT(a);
    live = WITHOUT(live, a);
    if
    :: HAS(stopAsked, a) -> endJob(JOB(a), canceled)
    :: else -> status[JOB(a)] = ready
    fi
  :: else
  fi
}

/* Rule 8: a start after the end does nothing. */
inline recordStart(a) {
  if
  :: (HAS(live, a) && status[JOB(a)] == pending) -> status[JOB(a)] = submitted
  :: else
  fi
}

/* Rule 6: at or below ack, neither held nor reported. */
inline recordLost(a) {
  assert(HAS(forgotten, a));
  occupying = WITHOUT(occupying, a);
  if
  :: HAS(live, a) -> lose(a)
  :: else
  fi
}

/* Rule 2: what is free follows from what occupies, in the claim's transaction. Rule 3: a closed worker gets nothing. */
inline claimFor(w) {
  for (j : 0 .. 1) {
    if
    :: (isOpen[w] && !isCanceled && status[j] == ready && COUNT(occupying & ofWorker[w]) < CAPACITY) ->
      assert(numAttempts < NUM_ATTEMPTS);
      ofJob[j] = ofJob[j] | BIT(numAttempts);
      ofWorker[w] = ofWorker[w] | BIT(numAttempts);
      live = live | BIT(numAttempts);
      occupying = occupying | BIT(numAttempts);
      numAttempts++;
      status[j] = pending
    :: else
    fi
  }
}

#define IS_OCCUPIED(w) ((occupying & ofWorker[w]) != 0)
#define STOPS(w) (occupying & ofWorker[w] & (stopAsked | ~live))
#define HAS_NEWS(i) (x[i].jobs || x[i].stops || x[i].starts || x[i].ends || x[i].returns || x[i].leave)

/* Rule 5: the present situation and not what has changed. Without news the request is parked. */
inline answer(i) {
  if
  :: x[i].isLeaving -> x[i].leave = 1
  :: else ->
    if
    :: !x[i].isDraining -> claimFor((i) / 2)
    :: else
    fi;
    x[i].jobs = (isOpen[(i) / 2] -> live & occupying & ofWorker[(i) / 2] & ABOVE(x[i].ack) : 0);
    x[i].stops = (isOpen[(i) / 2] -> STOPS((i) / 2) : (occupying & ofWorker[(i) / 2]) | x[i].held);
    x[i].leave = (!isOpen[(i) / 2] && !IS_OCCUPIED((i) / 2))
  fi;
  if
  :: HAS_NEWS(i) -> x[i].phase = reply; x[i].ack = 0; x[i].held = 0; x[i].isDraining = 0
  :: else -> x[i].phase = parked
  fi
}

inline replyEmpty(i) {
  x[i].phase = reply;
  x[i].ack = 0;
  x[i].held = 0;
  x[i].isDraining = 0;
  x[i].starts = 0;
  x[i].ends = 0;
  x[i].returns = 0
}

inline clear(i) {
  replyEmpty(i);
  x[i].phase = idle;
  x[i].isAwaited = 0;
  x[i].isNew = 0;
  x[i].isLeaving = 0;
  x[i].jobs = 0;
  x[i].stops = 0;
  x[i].leave = 0
}

/* Last in every transaction: parked workers get what there is for them now. A reply to a dead worker goes nowhere. */
inline conclude() {
  for (k : 0 .. 3) {
    if
    :: (x[k].phase == parked) -> answer(k)
    :: else
    fi
  }
  for (k : 0 .. 3) {
    if
    :: (x[k].phase == reply && !isAlive[k / 2]) -> clear(k)
    :: else
    fi
  }
  check()
}

/* Rule 8: reports in this order, then (rule 6) what the worker no longer has, then its leaving. */
inline applyReports(i) {
  for (k : 0 .. NUM_ATTEMPTS - 1) {
    if
    :: HAS(x[i].ends, k) -> recordEnd(k)
    :: else
    fi
  }
  for (k : 0 .. NUM_ATTEMPTS - 1) {
    if
    :: HAS(x[i].returns, k) -> recordReturn(k)
    :: else
    fi
  }
  for (k : 0 .. NUM_ATTEMPTS - 1) {
    if
    :: HAS(x[i].starts, k) -> recordStart(k)
    :: else
    fi
  }
  for (k : 0 .. NUM_ATTEMPTS - 1) {
    if
    :: HAS(occupying & ofWorker[(i) / 2] & ~ABOVE(x[i].ack) & ~(x[i].held | x[i].starts | x[i].ends | x[i].returns), k) ->
      recordLost(k)
    :: else
    fi
  }
  if
  :: x[i].isLeaving ->
#ifndef BUG_LEAVE_KEEPS_CLAIMS
    for (k : 0 .. NUM_ATTEMPTS - 1) {
      if
      :: HAS(occupying & ofWorker[(i) / 2] & ABOVE(x[i].ack), k) -> recordReturn(k)
      :: else
      fi
    }
#endif
    isOpen[(i) / 2] = 0;
    /* a worker that has left has lost nothing */
    assert(!IS_OCCUPIED((i) / 2))
  :: else
  fi
}

/* Rule 7: a later request ends the parked one with an empty reply, and what was sent before it is old from now on. */
inline admit(i) {
  if
  :: (x[(i) ^ 1].phase == parked) -> replyEmpty((i) ^ 1)
  :: (x[(i) ^ 1].phase == request && latest[(i) / 2] == i) -> x[(i) ^ 1].isNew = 0
  :: else
  fi
}

/* Rule 14: the spool is read before an attempt is called orphaned, and again before it is decided on. */
inline readSpool(w) {
#ifndef BUG_SPOOL_NOT_READ
  for (k : 0 .. NUM_ATTEMPTS - 1) {
    if
    :: HAS(spooledEnds & ofWorker[w] & (live | occupying), k) -> recordEnd(k)
    :: HAS(spooledReturns & ofWorker[w] & (live | occupying), k) -> recordReturn(k)
    :: else
    fi
  }
#else
  skip
#endif
}

/* A worker is gone. Its live attempts become orphans; a later look decides about them. */
inline giveUp(w) {
  readSpool(w);
  isOpen[w] = 0;
  for (k : 0 .. NUM_ATTEMPTS - 1) {
    if
    :: HAS(occupying & ofWorker[w], k) ->
      occupying = WITHOUT(occupying, k);
      if
      :: (HAS(live, k) && HAS(stopAsked, k)) -> lose(k)
      :: (HAS(live, k) && !HAS(stopAsked, k)) -> orphans = orphans | BIT(k)
      :: else
      fi
    :: else
    fi
  }
}

inline decideOrphans(w) {
  readSpool(w);
  for (k : 0 .. NUM_ATTEMPTS - 1) {
    if
    :: HAS(orphans & ofWorker[w], k) ->
      /* no result that lies on disk is thrown away */
      assert(!HAS(spooledEnds & ~wasStopped, k));
      lose(k)
    :: else
    fi
  }
}

/* ---------------------------------------------------------------- the server */

#define ARRIVES(i) (x[i].phase == request && !(isCut && (i) < 2))

inline serve(i) {
  if
  :: !x[i].isNew -> replyEmpty(i)
  :: else ->
    admit(i);
    applyReports(i);
    answer(i)
  fi;
  conclude()
}

proctype Server() {
end:
  do
  :: d_step { ARRIVES(0) -> serve(0) }
  :: d_step { ARRIVES(1) -> serve(1) }
  :: d_step { ARRIVES(2) -> serve(2) }
  :: d_step { ARRIVES(3) -> serve(3) }

  /* The end of a long poll. */
  :: d_step { (x[0].phase == parked && emptyLeft > 0) -> emptyLeft--; replyEmpty(0); conclude() }
  :: d_step { (x[1].phase == parked && emptyLeft > 0) -> emptyLeft--; replyEmpty(1); conclude() }

  /* Rule 14: the allocation has ended, or a look at the host shows that nothing is left. */
  :: d_step { (!isAlive[0] && IS_OCCUPIED(0)
#ifndef BUG_LEFTOVERS_IGNORED
      && (process & ofWorker[0]) == 0
#endif
    ) -> giveUp(0); conclude() }

  :: d_step { orphans -> decideOrphans(0); conclude() }

  /* Rule 14, NODE_FAIL: the worker may be alive. Write its stop file, and wait for longer than it takes to read that and to
   * kill. That this is long enough is an assumption, so here the server waits until it has happened. */
  :: d_step { (isCut && !isFenced) -> isFenced = 1;
#ifdef BUG_NODE_FAIL_IS_GONE
    giveUp(0);
#endif
    isOpen[0] = 0; conclude() }
  :: d_step { (isCut && isFenced && isAlive[0] && isEnding[0] && IS_OCCUPIED(0) && (process & ofWorker[0]) == 0) ->
    giveUp(0); conclude() }

  /* Rule 13: an expired lease is lost contact and gives nothing away. */
#ifdef BUG_SILENCE_FREES
  :: d_step { (isAlive[0] && x[0].phase != parked && x[1].phase != parked && IS_OCCUPIED(0)) ->
    occupying = occupying & ~ofWorker[0]; conclude() }
#endif
#ifdef BUG_SILENCE_LOSES
  :: d_step { (isAlive[0] && x[0].phase != parked && x[1].phase != parked && IS_OCCUPIED(0)) -> giveUp(0); conclude() }
#endif
#ifdef BUG_UNBLOCK_LATER
  :: d_step { unblockLater -> unblockLater = 0; unblock(); conclude() }
#endif

  /* Rule 10: the disk is full, and the transaction is rolled back: nobody gets a reply. */
  :: d_step { (fullLeft > 0 && ARRIVES(0) && x[0].isNew) -> fullLeft--; admit(0);
#ifdef BUG_ANSWERED_BEFORE_COMMIT
    x[0].phase = reply
#else
#ifdef BUG_TRANSACTION_NOT_CHECKED
    answer(0)
#else
    clear(0)
#endif
#endif
    ; conclude() }
  od
}

/* ---------------------------------------------------------------- a worker's conversation */

#define UNDER_WAY(i, kind) (x[i].isAwaited -> x[i].kind : 0)
#define NEWS(w) ((starts & ofWorker[w] & ~(UNDER_WAY(2 * w, starts) | UNDER_WAY(2 * w + 1, starts))) \
  || (ends & ofWorker[w] & ~(UNDER_WAY(2 * w, ends) | UNDER_WAY(2 * w + 1, ends))) \
  || (returns & ofWorker[w] & ~(UNDER_WAY(2 * w, returns) | UNDER_WAY(2 * w + 1, returns))))
#define AWAITS(w) (x[2 * w].isAwaited || x[2 * w + 1].isAwaited)
#define LEAVES(w) (isEnding[w] && !HELD_BY(w))
#define SAYS_GOODBYE(w) ((x[2 * w].isAwaited && x[2 * w].isLeaving) || (x[2 * w + 1].isAwaited && x[2 * w + 1].isLeaving))
#define MAY_SEND(w) (isAlive[w] && !(isCut && w == 0) && (NEWS(w) || (!AWAITS(w) && !isPaced[w]) || (LEAVES(w) && !SAYS_GOODBYE(w))))

/* Rule 4: ack, held and the unanswered reports, taken as one snapshot. */
inline send(w, i) {
  x[i].phase = request;
  x[i].isAwaited = 1;
  x[i].isNew = 1;
  x[i].isLeaving = LEAVES(w);
  x[i].isDraining = isEnding[w];
  x[i].ack = ack[w];
  x[i].held = HELD_BY(w);
  x[i].starts = starts & ofWorker[w];
  x[i].ends = ends & ofWorker[w];
  x[i].returns = returns & ofWorker[w];
#ifdef BUG_REPORTED_ONCE
  starts = starts & ~ofWorker[w];
  ends = ends & ~ofWorker[w];
  returns = returns & ~ofWorker[w];
#endif
  latest[w] = i
}

inline noteReturned(a) {
  held = WITHOUT(held, a);
  told = WITHOUT(told, a);
  returns = returns | BIT(a)
}

/* Rule 6: a stop for an attempt that it has not seen is remembered, and reported as never started. */
inline takeStop(w, a) {
  if
  :: (HAS(held, a) && !HAS(told, a)) ->
    told = told | BIT(a);
    if
    :: HAS(process, a) -> dying = dying | BIT(a)
    :: else -> noteReturned(a)
    fi
  :: !HAS(held, a) ->
    if
    :: !HAS(ends | returns, a) -> noteReturned(a)
    :: else
    fi;
#ifndef BUG_STOP_FORGOTTEN
    if
    :: HAS(ABOVE(ack[w]), a) -> unseenStops = unseenStops | BIT(a)
    :: else
    fi
#endif
  :: else
  fi
}

/* Rule 5: an attempt at or below ack was taken before, whatever became of it. */
inline takeJob(w, a) {
  if
#ifdef BUG_TAKEN_TWICE
  :: (!HAS(held, a) && !HAS(unseenStops, a)) ->
    ack[w] = a + 1;
#else
  :: HAS(ABOVE(ack[w]), a) ->
    ack[w] = a + 1;
#endif
    if
    :: HAS(unseenStops, a) -> unseenStops = WITHOUT(unseenStops, a)
    :: (!HAS(unseenStops, a) && isEnding[w]) -> noteReturned(a)
    :: else -> held = held | BIT(a)
    fi
  :: else
  fi
}

/* The time is over, the stop file says so, or the server: nothing more is started, and what waits goes back. */
inline beginEnding(w, stopsProcesses) {
  isEnding[w] = 1;
  isPaced[w] = 0;
  for (k : 0 .. NUM_ATTEMPTS - 1) {
    if
    :: (HAS(HELD_BY(w), k) && !HAS(process, k)) -> noteReturned(k)
    :: else
    fi
  }
  if
  :: stopsProcesses -> dying = dying | (process & ofWorker[w])
  :: else
  fi
}

/* What dies with a worker. The server learns nothing from it: a request that is under way still arrives. */
inline die(w) {
  isAlive[w] = 0;
  isEnding[w] = 0;
  isPaced[w] = 0;
  ack[w] = 0;
  held = held & ~ofWorker[w];
  told = told & ~ofWorker[w];
  unseenStops = 0;
  starts = starts & ~ofWorker[w];
  ends = ends & ~ofWorker[w];
  returns = returns & ~ofWorker[w];
  for (j : 2 * w .. 2 * w + 1) {
    x[j].isAwaited = 0;
    if
    :: (x[j].phase == reply) -> clear(j)
    :: else
    fi
  };
  skip
}

inline receive(w, i) {
  if
  :: (latest[w] == i) -> x[(i) ^ 1].isAwaited = 0
  :: else
  fi;
  /* a reply means that it is stored */
  assert((x[i].ends & live) == 0 && (x[i].returns & live) == 0);
  starts = starts & ~x[i].starts;
  ends = ends & ~x[i].ends;
  returns = returns & ~x[i].returns;
  isPaced[w] = (x[i].stops && !(x[i].jobs | x[i].starts | x[i].ends | x[i].returns) && !(x[i].stops & ~(held & told)));
  for (k : 0 .. NUM_ATTEMPTS - 1) {
    if
    :: HAS(x[i].stops, k) -> takeStop(w, k)
    :: else
    fi
  }
  for (k : 0 .. NUM_ATTEMPTS - 1) {
    if
    :: HAS(x[i].jobs, k) -> takeJob(w, k)
    :: else
    fi
  }
  if
  :: (x[i].leave && !isEnding[w]) -> beginEnding(w, 0)
  :: else
  fi;
  if
  :: (isEnding[w] && x[i].isLeaving && !HELD_BY(w) && !REPORTS_OF(w)) -> die(w)
  :: else
  fi;
  clear(i)
}

#define ARRIVES_BACK(i) (x[i].phase == reply && isAlive[(i) / 2] && !(isCut && (i) < 2))

proctype Worker(byte w) {
end:
  do
  :: d_step { (MAY_SEND(w) && x[2 * w].phase == idle) -> send(w, 2 * w) }
  :: d_step { (MAY_SEND(w) && x[2 * w].phase != idle && x[2 * w + 1].phase == idle) -> send(w, 2 * w + 1) }

  :: d_step { (ARRIVES_BACK(2 * w) && x[2 * w].isAwaited) -> receive(w, 2 * w) }
  :: d_step { (ARRIVES_BACK(2 * w + 1) && x[2 * w + 1].isAwaited) -> receive(w, 2 * w + 1) }
  :: d_step { (ARRIVES_BACK(2 * w) && !x[2 * w].isAwaited) -> clear(2 * w) }
  :: d_step { (ARRIVES_BACK(2 * w + 1) && !x[2 * w + 1].isAwaited) -> clear(2 * w + 1) }

  /* It no longer waits for a reply. */
  :: d_step { (x[2 * w].isAwaited && lateLeft > 0) -> lateLeft--; x[2 * w].isAwaited = 0 }
  :: d_step { (x[2 * w + 1].isAwaited && lateLeft > 0) -> lateLeft--; x[2 * w + 1].isAwaited = 0 }
  :: d_step { (w == 0 && isCut && AWAITS(0)) -> x[0].isAwaited = 0; x[1].isAwaited = 0 }

  /* Without contact it looks for its stop file. */
  :: d_step { (w == 0 && isAlive[0] && isCut && isFenced && !isEnding[0]) -> beginEnding(0, 1) }

  /* Its end does not wait for the server: what stays unanswered lies on disk. */
  :: d_step { (w == 0 && LEAVES(0) && (isCut || lateLeft > 0)) ->
    spooledEnds = spooledEnds | (ends & ofWorker[0]);
    spooledReturns = spooledReturns | (returns & ofWorker[0]);
    die(0) }

  /* What stays unanswered is written to disk. */
#ifdef SPOOLS
  :: d_step { (isAlive[w] && w == 0 && ((ends & ofWorker[0] & ~spooledEnds) || (returns & ofWorker[0] & ~spooledReturns))) ->
    spooledEnds = spooledEnds | (ends & ofWorker[0]);
    spooledReturns = spooledReturns | (returns & ofWorker[0]) }
#endif
  od
}

/* ---------------------------------------------------------------- an attempt at its worker, and its process */

proctype Attempt(byte a) {
end:
  do
  :: d_step { (HAS(held, a) && !HAS(process, a) && !isEnding[WORKER(a)] && !HAS(told, a)
      && COUNT(process & ofWorker[WORKER(a)]) < CAPACITY) ->
    assert(!HAS(everRan, a) && !HAS(handedBack, a));
    everRan = everRan | BIT(a);
    process = process | BIT(a);
    starts = starts | BIT(a);
    isPaced[WORKER(a)] = 0;
    check() }
  :: d_step { HAS(process, a) ->
    process = WITHOUT(process, a);
    if
    :: HAS(dying, a) -> wasStopped = wasStopped | BIT(a); dying = WITHOUT(dying, a)
    :: else
    fi;
    if
    :: HAS(held, a) ->
      held = WITHOUT(held, a);
      told = WITHOUT(told, a);
      starts = WITHOUT(starts, a);
      ends = ends | BIT(a);
      isPaced[WORKER(a)] = 0
    :: else
    fi }
  :: d_step { (returnsLeft > 0 && HAS(held, a) && !HAS(process, a)) -> returnsLeft--; noteReturned(a) }
  od
}

/* ---------------------------------------------------------------- what goes wrong */

#define IS_MESSAGE(i) (x[i].phase == request || x[i].phase == reply)

/* A message is lost when its worker notices that: until then it is under way. */
proctype Network() {
end:
  do
  :: d_step { (lostLeft > 0 && IS_MESSAGE(0)) -> lostLeft--; clear(0) }
  :: d_step { (lostLeft > 0 && IS_MESSAGE(1)) -> lostLeft--; clear(1) }
  :: d_step { (lostLeft > 0 && IS_MESSAGE(2)) -> lostLeft--; clear(2) }
  :: d_step { (lostLeft > 0 && IS_MESSAGE(3)) -> lostLeft--; clear(3) }
  /* The server notices that nobody waits any more. */
  :: d_step { (x[0].phase == parked && !x[0].isAwaited) -> clear(0) }
  :: d_step { (x[1].phase == parked && !x[1].isAwaited) -> clear(1) }
  :: d_step { (x[2].phase == parked && !x[2].isAwaited) -> clear(2) }
  :: d_step { (x[3].phase == parked && !x[3].isAwaited) -> clear(3) }
  :: d_step { isCut -> isCut = 0 }
  od
}

inline forgetMemory(i) {
  if
  :: (x[i].phase == parked) -> clear(i)
  :: (x[i].phase == request) -> x[i].isNew = 1
  :: else
  fi
}

proctype Accident() {
end:
  do
#ifdef SERVER_DIES
  /* Rule 7: seq lives in memory. What is parked is lost. */
  :: d_step { !hasStruck -> hasStruck = 1;
    forgetMemory(0); forgetMemory(1); forgetMemory(2); forgetMemory(3)
#ifdef BUG_UNBLOCK_LATER
    ; unblockLater = 0
#endif
    }
#endif
#ifdef NODE_DIES
  :: d_step { (!hasStruck && isAlive[0]) -> hasStruck = 1;
    process = process & ~ofWorker[0]; dying = dying & ~ofWorker[0]; die(0) }
#endif
#ifdef WORKER_DIES
  :: d_step { (!hasStruck && isAlive[0]) -> hasStruck = 1; die(0) }
#endif
#ifdef NODE_CUT
  :: d_step { (!hasStruck && isAlive[0]) -> hasStruck = 1; isCut = 1 }
#endif
#ifdef WORKER_LEAVES
  :: d_step { (!hasStruck && isAlive[0] && !isEnding[0]) -> hasStruck = 1; beginEnding(0, 1) }
#endif
#ifdef WORKER_FORGETS
  /* The end of its long poll tells the server. */
  :: d_step { (!hasStruck && HELD_BY(0)) -> hasStruck = 1; emptyLeft++;
    forgotten = HELD_BY(0); process = process & ~forgotten; dying = dying & ~forgotten;
    starts = starts & ~forgotten; told = told & ~forgotten; held = held & ~forgotten }
#endif
#ifdef REQUEUED
  /* Rule 3: a hello with a higher restart count closes the older worker of the node. It says nothing about its processes. */
  :: d_step { (hasStruck && !isOpen[1]) ->
    isOpen[0] = 0;
    isOpen[1] = 1;
    isAlive[1] = 1;
#ifdef BUG_REQUEUE_IS_GONE
    giveUp(0);
#endif
    conclude() }
#endif
  :: false
  od
}

/* ---------------------------------------------------------------- a person */

#define IS_RUNNING(job) (IS_CLAIMED(job) && (live & ofJob[job] & occupying))
#define IS_LOST(job) (status[job] == terminated || (IS_CLAIMED(job) && !IS_RUNNING(job)))

inline cancelJob(job) {
  if
  :: IS_RUNNING(job) -> stopAsked = stopAsked | (live & ofJob[job])
  :: (!IS_RUNNING(job) && !HAS_ENDED(job) && status[job] != terminated) ->
    live = live & ~ofJob[job];
    orphans = orphans & live;
    endJob(job, canceled)
  :: else
  fi
}

inline restartJob(job) {
  if
  :: IS_LOST(job) ->
    live = live & ~ofJob[job];
    orphans = orphans & live;
    losses[job] = 0;
    status[job] = ready
  :: else
  fi
}

proctype Person() {
end:
  do
  :: d_step { (cancelsLeft > 0) -> cancelsLeft--; isCanceled = 1; cancelJob(1); cancelJob(0); conclude() }
  :: d_step { (restartsLeft > 0 && !IS_RUNNING(0) && !IS_RUNNING(1) && (IS_LOST(0) || IS_LOST(1))) ->
    restartsLeft--; restartJob(0); restartJob(1); conclude() }
  od
}

/* ---------------------------------------------------------------- what holds when nothing more can happen */

#define CANNOT_GO_ON(job) (IS_LOST(job) && losses[job] == MAX_LOSSES)

/* Every job has ended, or was lost more often than it may be and waits for a person; nothing is occupied, held or unanswered. */
proctype End() {
  timeout ->
  d_step {
    assert(HAS_ENDED(0) || CANNOT_GO_ON(0));
    assert(HAS_ENDED(1) || CANNOT_GO_ON(1) || (status[1] == blocked && CANNOT_GO_ON(0)));
    assert(hasCounted[0] == (status[0] == done));
    assert(hasCounted[1] == (status[1] == done));
    assert(occupying == 0 && process == 0 && orphans == 0);
    assert(held == 0 && (starts | ends | returns) == 0);
    assert(restartsLeft == 0 || !(IS_LOST(0) || IS_LOST(1)))
  }
}

init {
  d_step {
    status[0] = ready;
    status[1] = ready;
#ifdef CHAIN
    status[1] = blocked;
    numBlockers = 1;
#endif
    for (k : 0 .. 3) {
      x[k].phase = idle
    };
    isOpen[0] = 1;
    isAlive[0] = 1;
#ifndef REQUEUED
    isOpen[1] = 1;
    isAlive[1] = 1
#endif
  };
  atomic {
    run Server();
    run Worker(0);
    run Worker(1);
    for (k : 0 .. NUM_ATTEMPTS - 1) {
      run Attempt(k)
    }
    run Network();
    run Accident();
    run Person();
    run End()
  }
}
