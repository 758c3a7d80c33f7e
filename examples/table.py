"""
A table with categories and gaps
================================

A DataFrame of numbers, texts and missing cells: scikit-learn's transformers make it numbers, and one
pipeline goes from the table to a price. Draws prices.png.

``python examples/table.py [max_iter]``
"""

import sys

import numpy as np
import pandas as pd
from matplotlib import pyplot
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fastnn import MLPRegressor

max_iter = int(sys.argv[1]) if len(sys.argv) > 1 else 120
rng = np.random.default_rng(0)
n = 3000
houses = pd.DataFrame(
    {
        "area": rng.uniform(30, 200, n),
        "year": rng.integers(1900, 2024, n).astype(float),
        "town": rng.choice(["Riverside", "Hill", "Harbour", "Old Town"], n),
        "heating": rng.choice(["gas", "heat pump", None], n, p=[0.6, 0.3, 0.1]),
    }
)
per_area = houses.town.map({"Riverside": 3.1, "Hill": 2.2, "Harbour": 4.0, "Old Town": 5.2})
price = houses.area * per_area * (1 + 0.2 * (houses.heating == "heat pump")) * rng.lognormal(0, 0.05, n)
houses.loc[rng.random(n) < 0.05, "year"] = np.nan  # what tables are like

# %%
# Numbers are filled in and scaled, texts become columns of 0 and 1, and the price is scaled too: a network
# learns numbers of about 1 best.
columns = make_column_transformer(
    (make_pipeline(SimpleImputer(), StandardScaler()), ["area", "year"]),
    (OneHotEncoder(handle_unknown="ignore"), ["town", "heating"]),
)
network = MLPRegressor(hidden_layer_sizes=(64, 32), max_iter=max_iter, early_stopping=True, random_state=0)
model = make_pipeline(columns, TransformedTargetRegressor(network, transformer=StandardScaler()))

train, test, price_train, price_test = train_test_split(houses, price, random_state=0)
model.fit(train, price_train)
print(f"R2 on houses it has not seen: {model.score(test, price_test):.3f}")
print(test.head(3).assign(price=price_test[:3].round(), predicted=model.predict(test.head(3)).round()))

_, ax = pyplot.subplots(figsize=(5, 5), layout="constrained")
ax.plot(price_test, model.predict(test), ".", alpha=0.5)
ax.axline((0, 0), slope=1, color="0.3", linewidth=1)
ax.set(xlabel="price", ylabel="what the network says", xlim=0, ylim=0)
ax.figure.savefig("prices.png")
