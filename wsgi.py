"""The application for a WSGI server; settings come from the environment."""

from pro_app import create_app
from pro_app.config import read_settings

app = create_app(read_settings())
