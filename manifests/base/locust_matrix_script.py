"""What a test script has that decides which load it can make, and what it does by itself during a
test; a part of locust_matrix.py."""

import os
import sys
import time
from collections import Counter

import locust
from gevent import GreenletExit
from locust import TaskSet, User
from locust.exception import StopUser
from locust.runners import STATE_RUNNING, STATE_SPAWNING
from locust.user.task import LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

MAX_WAYS, MAX_WORDS = 20, 200
LOCUST = os.path.dirname(locust.__file__)
HERE = os.path.dirname(__file__)


def called_by_the_script():
    """Whether the caller of the function that asks this is neither Locust nor one of these modules."""
    try:
        file = sys._getframe(2).f_code.co_filename
    except ValueError:
        return True  # a greenlet that was spawned with the function itself
    folder, name = os.path.split(file)
    is_ours = folder == HERE and name.startswith("locust_matrix")
    return not is_ours and not file.startswith(LOCUST + os.sep)


def in_words(exception):
    return f"{type(exception).__name__}: {exception}".rstrip(": ")[:MAX_WORDS]


class ScriptOfMaster:
    """The part of the test script that decides on the load, and whether it has ended a test."""

    def __init__(self, environment, runner):
        self.environment = environment
        # How the script has ended this test, such as "runner.quit()".
        self.ended = None
        # Whether the master has sent its workers home. It takes no new ones.
        self.has_quit = False
        environment.events.test_start.add_listener(self.on_test_start)
        runner.register_message("matrix_ended", self.on_ended)

        def stop(*args, _stop=runner.stop, **kwargs):
            if called_by_the_script():
                self.note(runner, "runner.stop()")
            return _stop(*args, **kwargs)

        def quit_(_quit=runner.quit):
            if called_by_the_script():
                self.note(runner, "runner.quit()")
            self.has_quit = True
            return _quit()

        runner.stop, runner.quit = stop, quit_

    def on_test_start(self, **_kwargs):
        self.ended = None

    def on_ended(self, msg, **_kwargs):
        self.ended = self.ended or msg.data["how"]

    def note(self, runner, how):
        if runner.state in (STATE_SPAWNING, STATE_RUNNING):
            self.ended = self.ended or how

    def describe(self):
        shape, options = self.environment.shape_class, self.environment.parsed_options
        if getattr(options, "class_picker", False):
            shape = None  # then a start without a shape uses none
        return {
            "shape": None if shape is None else type(shape).__name__,
            "users": [
                {"name": user.__name__, "fixed_count": max(0, int(user.fixed_count or 0))}
                for user in self.environment.user_classes
            ],
            "stop_timeout_s": float(self.environment.stop_timeout or 0),
            # What the master was started with. If it differs, the script has set another one.
            "given_stop_timeout_s": float(getattr(options, "stop_timeout", None) or 0),
            "ended": self.ended,
            "has_quit": self.has_quit,
        }


class ScriptOfWorker:
    """What the users of a worker do by themselves.

    left: users that ended although nobody stopped them, by class and reason.
    cut_off: users that were in the middle of a task when the stop timeout killed them.
    waited_s: the time that all users have spent in their wait_time, since the start of the test.
    """

    def __init__(self, environment, runner):
        self.runner = runner
        self.clear()
        environment.events.test_start.add_listener(self.clear)
        self.watch_users()
        self.watch_waits()

    def clear(self, **_kwargs):
        self.left, self.cut_off = Counter(), 0
        self.waited_s, self.waiting, self.begun = 0.0, 0, 0.0

    def note_left(self, user, why):
        if self.runner.state not in (STATE_SPAWNING, STATE_RUNNING):
            return
        way = (type(user).__name__, why)
        if way not in self.left and len(self.left) >= MAX_WAYS:
            way = ("(other users)", "several reasons")
        self.left[way] += 1

    def watch_users(self):
        def run_tasks(taskset, _run=TaskSet.run):
            user = taskset.user
            if taskset is not user._taskset_instance:
                return _run(taskset)
            try:
                return _run(taskset)
            except GreenletExit:
                user.matrix_ended = True
                # A user that waits has no request under way.
                self.cut_off += user._state != LOCUST_STATE_WAITING
                raise
            except Exception as exception:
                user.matrix_ended = True
                # Locust itself raises StopUser in a user that it has asked to stop.
                if not (isinstance(exception, StopUser) and user._state == LOCUST_STATE_STOPPING):
                    self.note_left(user, in_words(exception))
                raise

        def run_user(user, _run=User.run):
            user.matrix_ended = False
            try:
                _run(user)
            except Exception as exception:
                if not user.matrix_ended:
                    self.note_left(user, f"on_start raised {in_words(exception)}")
                raise
            if not user.matrix_ended and user._state != LOCUST_STATE_STOPPING:
                self.note_left(user, "StopUser in on_start")

        TaskSet.run, User.run = run_tasks, run_user

    def watch_waits(self):
        def wait(taskset, _wait=TaskSet.wait):
            begun = time.perf_counter()
            self.waiting += 1
            self.begun += begun
            try:
                _wait(taskset)
            finally:
                self.waiting -= 1
                self.begun -= begun
                self.waited_s += time.perf_counter() - begun

        TaskSet.wait = wait

    def watch_ends(self, runner):
        """Tells the master if the script ends the test here."""

        def tell(how):
            if runner.state in (STATE_SPAWNING, STATE_RUNNING):
                runner.send_message("matrix_ended", {"how": f"{how} on a worker"})

        def stop(_stop=runner.stop):
            if called_by_the_script():
                tell("runner.stop()")
            return _stop()

        def quit_(_quit=runner.quit):
            if called_by_the_script():
                tell("runner.quit()")
            return _quit()

        runner.stop, runner.quit = stop, quit_

    def report(self):
        left, self.left = self.left, Counter()
        cut_off, self.cut_off = self.cut_off, 0
        now = time.perf_counter()
        return {
            "left": [[name, why, count] for (name, why), count in left.items()],
            "cut_off": cut_off,
            # The waits that have not ended count up to now, so that a cut is exact.
            "waited_s": self.waited_s + self.waiting * now - self.begun,
        }
