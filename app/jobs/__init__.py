"""The engine room: events become durable jobs. The one door to DBOS.

database.py where · store.py what is remembered · writer.py safe before the answer · plan.py what to do · deciding.py and
placing.py event → job · workflows.py the jobs · runs.py what runs here · step.py steps and effects that survive ·
endings.py how jobs end · sweep.py what was missed · engine.py all of it together
"""

from app.jobs.delivery import Delivery, Receipt, Taken
from app.jobs.engine import DeliveryRecord, Engine, JobRecord
from app.jobs.step import Timing
from app.jobs.store import DeliveryState, JobState
from app.jobs.story import PUT_OFF, Door, Doors, Ending, Left, Outcome, Story

__all__ = [
    "PUT_OFF",
    "Delivery",
    "DeliveryRecord",
    "DeliveryState",
    "Door",
    "Doors",
    "Ending",
    "Engine",
    "JobRecord",
    "JobState",
    "Left",
    "Outcome",
    "Receipt",
    "Story",
    "Taken",
    "Timing",
]
