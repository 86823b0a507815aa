"""Bounds of configuration values, one name for each. Another bound is spelled with annotated_types."""

from typing import Annotated

from annotated_types import Ge, Gt, Le

Positive = Annotated[int, Gt(0)]
NonNegative = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0.0)]
NonNegativeFloat = Annotated[float, Ge(0.0)]
Fraction = Annotated[float, Ge(0.0), Le(1.0)]
