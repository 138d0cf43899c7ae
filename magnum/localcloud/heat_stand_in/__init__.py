"""A Heat that only plays: the API of the real one, stacks without servers, delays and trouble to order.

What a stack becomes is decided when the request is taken, as a list of phases with the times at which they begin. A
stack's state is the last phase that has begun: nothing runs in between, thousands of stacks cost nothing, and a process
that was killed and started again goes on as if it had never been away.

`python -m magnum.localcloud.heat_stand_in` runs it. docs/local-cloud.md says how it is driven.
"""
