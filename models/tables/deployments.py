"""The table `deployments`: which assistant before is which agent after a migration."""

from typing import Any

from runmart.models.columns import TIMESTAMPTZ, VARCHAR, Column, Table

DEPLOYMENTS: Table[Any] = Table(
    "deployments",
    grain="one row per deployment, side and match",
    purpose="Deployments: what served one purpose before and after a migration; `runmart deployments` fills it.",
    columns=(
        Column("deployment", VARCHAR, meaning="Name of the deployment"),
        Column("side", VARCHAR, meaning="before or after"),
        Column(
            "match_kind",
            VARCHAR,
            meaning="assistant_id, agent_name, prompt_id, metadata:KEY, instructions_digest or model",
        ),
        Column("match_value", VARCHAR, meaning="The value that its runs have"),
        Column("source", VARCHAR, meaning="Label of its runs (--source); null for all"),
        Column("valid_from", TIMESTAMPTZ, meaning="Runs created from then on; null for all"),
        Column("valid_to", TIMESTAMPTZ, meaning="Runs created before then; null for all"),
    ),
)
