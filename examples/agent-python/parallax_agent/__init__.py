"""An agent for a Parallax cluster, with nothing but the standard library."""

from .agent import Agent, Task, TaskError

__all__ = ["Agent", "Task", "TaskError"]
