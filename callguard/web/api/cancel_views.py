"""What `PUT /api/call/cancel` answers, word for word as SubVerse's API does (docs.subverseai.com, Cancel Call).

All four answers have HTTP status 200; what came of it is in `responseCode`. (That document's own note on
`responseCode`, "always returns 200", fits the HTTP status; its examples have 400 there.) What is refused on
principle is an error instead (`cancels.py`).
"""

from typing import Annotated

from pydantic import BaseModel, Field

from callguard.cancel.single_cancel import Verdict


class RemovedJobs(BaseModel):
    """What a cancel has removed."""

    removed_jobs: Annotated[
        int, Field(serialization_alias="removedJobs", description="queued calls that were cancelled: 1")
    ]


class CancelAnswer(BaseModel):
    """What came of the wish to cancel a call."""

    response_code: Annotated[
        int, Field(serialization_alias="responseCode", description="200 if the call was cancelled, else 400")
    ]
    message: Annotated[str, Field(description="success or why not; one of four fixed texts")]
    data: Annotated[RemovedJobs | None, Field(description="null unless the call was cancelled")] = None


NO_CALL_ID = CancelAnswer(response_code=400, message="Call id missing")

ANSWERS = {
    Verdict.CANCELLED: CancelAnswer(
        response_code=200, message="Call canceled successfully!", data=RemovedJobs(removed_jobs=1)
    ),
    Verdict.NOT_QUEUED: CancelAnswer(
        response_code=400, message="This call cannot be canceled as it is no longer in queue."
    ),
    Verdict.NOT_FOUND: CancelAnswer(response_code=400, message="User call not found."),
}
